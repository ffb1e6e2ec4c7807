import { randomUUID } from 'node:crypto'
import { mkdir, opendir, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { isMillraceError } from '@millrace/contracts'
import { CallerBodyError } from '../../caller-body.js'
import { checkKey } from '../../object-key.js'
import { checkRange } from '../../object-range.js'
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
import { hasLinkedFolder } from './has-linked-folder.js'
import { describeFile, listFiles } from './list-files.js'
import { readFileRange } from './read-file.js'
import { systemCode, toFileError } from './to-file-error.js'
import { syncFolder, writeFileAtomically } from './write-file.js'

/** A key cannot begin with a dot. */
const UPLOADS = '.uploads'
/** What `check` writes: a full disk still takes an empty file. */
const CHECK_BYTES = 4096

/** Opens a store in a folder, which is made when it is missing. Any number of processes may use the same folder. */
export async function openFileObjectStore(address: { readonly directory: string }): Promise<ObjectStore> {
  const directory = resolve(address.directory)
  try {
    const made = await mkdir(join(directory, UPLOADS), { recursive: true, mode: 0o700 })
    // Without this, a power loss could remove the folders of the store with everything in them.
    for (let folder = directory; made !== undefined && folder.length >= made.length; folder = dirname(folder))
      await syncFolder(dirname(folder))
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
    const written = await this.#run(key, 'storing', async () => {
      if (await hasLinkedFolder(this.#root, key)) throw linkedFolder(key)
      return await writeFileAtomically(target, body, signal)
    })
    if (written !== undefined) return { key, ...written }
    throw objectStoreErrors.OBJECT_EXISTS({ message: `the object ${key} exists`, details: { key } })
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject> {
    const path = this.#pathOf(key)
    checkRange(options.range)
    options.signal?.throwIfAborted()
    return await this.#run(key, 'reading', async () => {
      const isReachable = !(await hasLinkedFolder(this.#root, key))
      const found = isReachable ? await readFileRange(path, key, options) : undefined
      if (found !== undefined) return found
      throw objectStoreErrors.OBJECT_NOT_FOUND({ message: `there is no object ${key}`, details: { key } })
    })
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const path = this.#pathOf(key)
    return await this.#run(key, 'reading', async () =>
      (await hasLinkedFolder(this.#root, key)) ? undefined : await describeFile(path, key),
    )
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
      if (await hasLinkedFolder(this.#root, key)) return
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
    try {
      for await (const { name } of await opendir(join(this.#root, UPLOADS))) {
        const path = join(this.#root, UPLOADS, name)
        const stats = await stat(path).catch(() => undefined)
        if (stats === undefined || stats.mtime >= before || !stats.isFile()) continue
        await rm(path, { force: true })
        removed++
      }
    } catch (error) {
      throw toFileError(error, `removing abandoned uploads in ${this.#root}`)
    }
    return removed
  }

  async check({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#throwIfClosed()
    signal?.throwIfAborted()
    const uploads = join(this.#root, UPLOADS)
    const target = { root: uploads, uploads, path: join(uploads, `check-${randomUUID()}`), ifAbsent: false }
    try {
      await writeFileAtomically(target, new Uint8Array(CHECK_BYTES), signal)
      await rm(target.path)
      await opendir(this.#root).then((folder) => folder.close())
    } catch (error) {
      if (signal?.aborted === true || systemCode(error) === undefined) throw error
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
      if (action === 'reading' && ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(code))
        throw objectStoreErrors.OBJECT_NOT_FOUND({ message: `there is no object ${key}`, details: { key } })
      if (action === 'storing' && ['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY'].includes(code))
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

function linkedFolder(key: string): Error {
  return objectStoreErrors.OBJECT_KEY_INVALID({
    message: `a folder of the key ${key} is a symbolic link, which a store does not follow`,
    details: { key },
  })
}

async function isFile(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined)
  return stats?.isFile() ?? false
}
