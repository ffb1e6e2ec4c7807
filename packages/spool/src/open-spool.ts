import { dirname } from 'node:path'
import { DiskSpool } from './disk-spool.js'
import type { SpoolFileSystem } from './file-system.js'
import { nodeFileSystem } from './node-file-system.js'
import type { Spool, SpoolConfig, SpoolDeps } from './spool-types.js'

/**
 * Opens a spool and finds the records that earlier processes left in it. A record that was being written when the process or the machine stopped
 * is cut off with a warning: its append had not resolved.
 * @throws SPOOL_LOCKED, and the errors of the file system.
 */
export async function openSpool<T>(config: SpoolConfig, deps: SpoolDeps<T>): Promise<Spool<T>> {
  const { directory, bytesMax = 1024 ** 3 } = config
  const { files = nodeFileSystem } = deps
  const segmentBytes = Math.min(config.segmentBytes ?? 16 * 1024 ** 2, Math.ceil(bytesMax / 8))
  await createDurably(directory, files)
  const unlock = await files.lock(directory)
  try {
    const spool = new DiskSpool({ directory, bytesMax, segmentBytes }, { ...deps, files, unlock })
    await spool.recover()
    return spool
  } catch (error) {
    await unlock()
    throw error
  }
}

/** A directory is a name in its parent, which has to be fsynced too. */
async function createDurably(directory: string, files: SpoolFileSystem): Promise<void> {
  const topmost = await files.createDirectory(directory)
  if (topmost === undefined) return
  for (let path = directory; path !== dirname(topmost); path = dirname(path)) await files.syncDirectory(dirname(path))
}
