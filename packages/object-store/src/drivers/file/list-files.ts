import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { isValidKey } from '../../object-key.js'
import type { ListOptions, ObjectInfo } from '../../object-store.js'
import { systemCode } from './to-file-error.js'

interface Entry {
  /** A folder's name ends in a slash, which puts the entries in the order of the keys below them. */
  readonly name: string
  readonly isFolder: boolean
}

/** Yields the files below `root` in the order of their keys. Only the folders that can hold a listed key are read. */
export async function* listFiles(
  root: string,
  { prefix = '', after = '', signal }: ListOptions,
): AsyncGenerator<ObjectInfo> {
  signal?.throwIfAborted()
  const bounds = { root, prefix, after, signal }
  yield* listFolder(bounds, '')
}

interface Bounds {
  readonly root: string
  readonly prefix: string
  readonly after: string
  readonly signal: AbortSignal | undefined
}

async function* listFolder(bounds: Bounds, folder: string): AsyncGenerator<ObjectInfo> {
  const { root, prefix, after, signal } = bounds
  for (const { name, isFolder } of await readEntries(join(root, folder))) {
    signal?.throwIfAborted()
    const key = folder + name
    if (isFolder) {
      const mayHoldPrefix = key.startsWith(prefix) || prefix.startsWith(key)
      // All keys in the folder begin with its own.
      const mayHoldLater = key > after || after.startsWith(key)
      if (mayHoldPrefix && mayHoldLater) yield* listFolder(bounds, key)
    } else if (key.startsWith(prefix) && key > after && isValidKey(key)) {
      const info = await describeFile(join(root, key), key)
      if (info !== undefined) yield info
    }
  }
}

/** The entries of a folder in order; none when the folder has just been removed. */
async function readEntries(path: string): Promise<Entry[]> {
  const entries: Entry[] = []
  try {
    for await (const entry of await opendir(path)) {
      if (entry.name.startsWith('.')) continue
      if (entry.isDirectory()) entries.push({ name: `${entry.name}/`, isFolder: true })
      else if (entry.isFile()) entries.push({ name: entry.name, isFolder: false })
    }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
  // Keys are ASCII, so the order of code units is that of bytes.
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Undefined when there is no such file. */
export async function describeFile(path: string, key: string): Promise<ObjectInfo | undefined> {
  try {
    const { size, mtime, isFile } = await statFile(path)
    return isFile ? { key, bytes: size, modifiedAt: mtime } : undefined
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}

async function statFile(path: string): Promise<{ size: number; mtime: Date; isFile: boolean }> {
  const stats = await lstat(path)
  return { size: stats.size, mtime: stats.mtime, isFile: stats.isFile() }
}
