import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from './to-file-error.js'

/**
 * Whether a folder of the key is a symbolic link, which may lead out of the store. `list` shows nothing below links,
 * so no other operation may either.
 */
export async function hasLinkedFolder(root: string, key: string): Promise<boolean> {
  let folder = root
  for (const part of key.split('/').slice(0, -1)) {
    folder = join(folder, part)
    try {
      if ((await lstat(folder)).isSymbolicLink()) return true
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false
      throw error
    }
  }
  return false
}
