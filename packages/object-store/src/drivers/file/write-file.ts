import { randomUUID } from 'node:crypto'
import { type FileHandle, link, mkdir, open, rename, rm } from 'node:fs/promises'
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

/** How often a folder is made again that `delete` has just removed because it was empty. */
const ATTEMPTS_MAX = 20

/**
 * Writes a file of its own first, syncs it, and only then gives it the name of the object, so that a crash or a power
 * loss at any moment leaves the old object or the whole new one. Returns false when `ifAbsent` and the object exists.
 */
export async function writeFileAtomically(
  target: WriteFileTarget,
  body: ObjectBody,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const upload = join(target.uploads, randomUUID())
  try {
    await writeUpload(upload, body, signal)
    signal?.throwIfAborted()
    return await publish(upload, target)
  } finally {
    await rm(upload, { force: true })
  }
}

async function writeUpload(path: string, body: ObjectBody, signal: AbortSignal | undefined): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const piece of readBody(body, signal)) await writeAll(file, piece)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
}

async function publish(upload: string, { root, path, ifAbsent }: WriteFileTarget): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    await makeFolder(root, dirname(path))
    try {
      // A link fails when the name is taken, a rename replaces it.
      if (ifAbsent) await link(upload, path)
      else await rename(upload, path)
      break
    } catch (error) {
      if (ifAbsent && systemCode(error) === 'EEXIST') return false
      if (systemCode(error) !== 'ENOENT' || attempt >= ATTEMPTS_MAX) throw error
    }
  }
  await syncFolder(dirname(path))
  return true
}

/** Makes a folder and its parents up to `root`, and syncs each parent, without which a power loss removes the folder. */
async function makeFolder(root: string, folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length && made !== root; made = dirname(made))
    await syncFolder(dirname(made))
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
