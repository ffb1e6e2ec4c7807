import { constants } from 'node:fs'
import { mkdir, open, opendir, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { isMillraceError } from '@millrace/contracts'
import { CallerBodyError } from '../../caller-body.js'
import { checkKey } from '../../object-key.js'
import type {
  GetOptions,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
} from '../../object-store.js'
import { objectStoreErrors } from '../../object-store-errors.js'
import { describeFile, listFiles } from './list-files.js'
import { systemCode, toFileError } from './to-file-error.js'
import { syncFolder, writeFileAtomically } from './write-file.js'

/** A key cannot begin with a dot. */
const UPLOADS = '.uploads'

/** Opens a store in a folder, which is made when it is missing. Any number of processes may use the same folder. */
export async function openFileObjectStore({ directory }: { readonly directory: string }): Promise<ObjectStore> {
  try {
    await mkdir(join(directory, UPLOADS), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw toFileError(error, `opening the object store in ${directory}`)
  }
  return new FileObjectStore(directory)
}

class FileObjectStore implements ObjectStore {
  readonly location: string
  readonly #root: string
  #isClosed = false

  constructor(root: string) {
    this.#root = root
    this.location = `file://${root}`
  }

  async put(key: string, body: ObjectBody, { ifAbsent = false, signal }: PutOptions = {}): Promise<ObjectInfo> {
    const path = this.#pathOf(key)
    signal?.throwIfAborted()
    const target = { root: this.#root, uploads: join(this.#root, UPLOADS), path, ifAbsent }
    const isStored = await this.#run(key, 'storing', () => writeFileAtomically(target, body, signal))
    if (!isStored) throw objectStoreErrors.OBJECT_EXISTS({ message: `the object ${key} exists`, details: { key } })
    const info = await this.head(key)
    // Another process may have deleted it already.
    return info ?? { key, bytes: 0, modifiedAt: new Date() }
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<StoredObject> {
    const path = this.#pathOf(key)
    signal?.throwIfAborted()
    return await this.#run(key, 'reading', async () => {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      const stats = await file.stat()
      if (!stats.isFile()) {
        await file.close()
        throw objectStoreErrors.OBJECT_NOT_FOUND({ message: `there is no object ${key}`, details: { key } })
      }
      const info = { key, bytes: stats.size, modifiedAt: stats.mtime }
      const start = Math.min(range?.offset ?? 0, stats.size)
      const end = range?.bytes === undefined ? stats.size : Math.min(stats.size, start + range.bytes)
      if (start === end) {
        await file.close()
        return { info, body: Readable.from([]) }
      }
      return { info, body: file.createReadStream({ start, end: end - 1, ...(signal !== undefined && { signal }) }) }
    })
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const path = this.#pathOf(key)
    return await this.#run(key, 'reading', () => describeFile(path, key))
  }

  async *list(options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    this.#throwIfClosed()
    try {
      yield* listFiles(this.#root, options)
    } catch (error) {
      if (options.signal?.aborted === true || systemCode(error) === undefined) throw error
      throw toFileError(error, `listing the objects in ${this.#root}`)
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#pathOf(key)
    await this.#run(key, 'deleting', async () => {
      try {
        await unlink(path)
      } catch (error) {
        if (['ENOENT', 'ENOTDIR', 'EISDIR', 'EPERM'].includes(systemCode(error) ?? '') && !(await isFile(path))) return
        throw error
      }
      await syncFolder(dirname(path))
      await this.#removeEmptyFolders(dirname(path))
    })
  }

  async removeAbandonedUploads(before: Date): Promise<number> {
    this.#throwIfClosed()
    let removed = 0
    for await (const { name } of await opendir(join(this.#root, UPLOADS))) {
      const path = join(this.#root, UPLOADS, name)
      const { mtime } = (await stat(path).catch(() => undefined)) ?? {}
      if (mtime === undefined || mtime >= before) continue
      await rm(path, { force: true })
      removed++
    }
    return removed
  }

  async check(): Promise<void> {
    this.#throwIfClosed()
    const probe = join(this.#root, UPLOADS, `check-${process.pid}`)
    try {
      await writeFile(probe, '')
      await rm(probe, { force: true })
    } catch (error) {
      throw toFileError(error, `writing to the object store in ${this.#root}`)
    }
  }

  close(): Promise<void> {
    this.#isClosed = true
    return Promise.resolve()
  }

  #pathOf(key: string): string {
    this.#throwIfClosed()
    checkKey(key)
    return join(this.#root, key)
  }

  #throwIfClosed(): void {
    if (this.#isClosed)
      throw objectStoreErrors.OBJECT_STORE_UNAVAILABLE({ message: 'the object store is closed', retryable: false })
  }

  /** Passes on what is not an error of the file system: errors of the caller's body, and those of its signal. */
  async #run<T>(key: string, action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof CallerBodyError) throw error.reason
      const code = systemCode(error)
      if (isMillraceError(error) || code === undefined) throw error
      if (action === 'reading' && (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP'))
        throw objectStoreErrors.OBJECT_NOT_FOUND({ message: `there is no object ${key}`, details: { key } })
      if (action === 'storing' && ['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY'].includes(code ?? ''))
        throw objectStoreErrors.OBJECT_KEY_INVALID({
          message: `the key ${key} is the folder of another key, or another key is its folder`,
          cause: error,
          details: { key },
        })
      throw toFileError(error, `${action} the object ${key} in ${this.#root}`)
    }
  }

  /** So that listing does not read ever more empty folders. A folder in which another process has just put a file stays. */
  async #removeEmptyFolders(folder: string): Promise<void> {
    for (let path = folder; path.length > this.#root.length; path = dirname(path)) {
      try {
        await rmdir(path)
      } catch {
        return
      }
    }
  }
}

async function isFile(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined)
  return stats?.isFile() ?? false
}
