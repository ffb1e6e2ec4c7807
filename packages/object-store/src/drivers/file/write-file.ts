import { randomUUID } from 'node:crypto'
import { type FileHandle, link, lstat, mkdir, open, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readBody } from '../../caller-body.js'
import type { ObjectBody } from '../../object-store.js'
import { systemCode } from './to-file-error.js'

export interface WriteFileTarget {
  /** The folder of the store. */
  readonly root: string
  /** The folder for files that are being written, on the same file system. */
  readonly uploads: string
  readonly path: string
  readonly ifAbsent: boolean
}

export interface WrittenFile {
  readonly bytes: number
  readonly modifiedAt: Date
}

/** How often a folder is made again that `delete` has just removed because it was empty. */
const ATTEMPTS_MAX = 20

/**
 * Writes a file of its own first, syncs it, and only then gives it the name of the object, so that a crash or a power
 * loss at any moment leaves the old object or the whole new one. Returns undefined when `ifAbsent` and the object
 * exists.
 */
export async function writeFileAtomically(
  target: WriteFileTarget,
  body: ObjectBody,
  signal: AbortSignal | undefined,
): Promise<WrittenFile | undefined> {
  const upload = join(target.uploads, randomUUID())
  try {
    const written = await writeUpload(upload, body, signal)
    signal?.throwIfAborted()
    return (await publish(upload, target)) ? written : undefined
  } finally {
    await rm(upload, { force: true })
  }
}

async function writeUpload(path: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<WrittenFile> {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const piece of readBody(body, signal)) await writeAll(file, piece)
    await file.sync()
    const { size, mtime } = await file.stat()
    return { bytes: size, modifiedAt: mtime }
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
}

/** Returns false when `ifAbsent` and there is an object. */
async function publish(upload: string, { root, path, ifAbsent }: WriteFileTarget): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    try {
      // A link fails when the name is taken, a rename replaces it.
      if (ifAbsent) await link(upload, path)
      else await rename(upload, path)
      break
    } catch (error) {
      const code = systemCode(error)
      if (attempt >= ATTEMPTS_MAX) throw error
      if (code === 'EEXIST' && !(await isFolder(path))) return false
      if (code === 'EISDIR' || code === 'EEXIST') await removeEmptyFolder(path)
      else if (code !== 'ENOENT') throw error
    }
  }
  await syncFoldersOf(path, root)
  return true
}

/**
 * Syncs every folder from that of the file up to the root. Also those that existed before: another writer may have
 * made one a moment ago, or was killed before it synced its entry, and a power loss would remove it with all objects.
 */
async function syncFoldersOf(path: string, root: string): Promise<void> {
  const folders: string[] = []
  for (let folder = dirname(path); folder.length > root.length; folder = dirname(folder)) folders.push(folder)
  await Promise.all([...folders, root].map(syncFolder))
}

async function isFolder(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined)
  return stats?.isDirectory() ?? false
}

/** Removes a folder that a killed writer has left in the place of an object. @throws ENOTEMPTY when it holds objects */
async function removeEmptyFolder(path: string): Promise<void> {
  try {
    await rmdir(path)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}

/** Makes the entries of a folder durable. A folder that was removed meanwhile has none. */
export async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle
  try {
    folder = await open(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw error
  }
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
