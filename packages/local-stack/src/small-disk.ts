import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { removeTemporary, temporaryDirectory } from './temporary.js'

/** A small file system in memory, for tests of full disks. */
export interface SmallDisk {
  readonly path: string
  /** Writes a file until the disk takes no more. */
  fill(): void
  /** Removes that file. */
  free(): void
  /** Unmounts the file system; nothing of it is left. */
  remove(): void
}

/** Whether `mountSmallDisk` works here. If not, says which tests are left out. */
export function canMountSmallDisk(tests: string): boolean {
  const disk = mountSmallDisk(1024 ** 2)
  disk?.remove()
  if (disk === undefined)
    process.stderr.write(`NOT TESTED, since only root on Linux may mount a small disk: ${tests}\n`)
  return disk !== undefined
}

/** Mounts a file system of `bytes` on a temporary directory. Returns undefined when this process may not mount, which takes root on Linux. */
export function mountSmallDisk(bytes: number): SmallDisk | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const path = temporaryDirectory('millrace-small-disk-')
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=711`, 'tmpfs', path])
  if (mount.status !== 0) {
    removeTemporary(path)
    return undefined
  }
  const filler = join(path, 'filler')
  return {
    path,
    fill: () => fillDisk(filler),
    free: () => rmSync(filler, { force: true }),
    remove: () => removeTemporary(path),
  }
}

/** Large writes first, then small ones for the rest. */
function fillDisk(file: string): void {
  const fd = openSync(file, 'a')
  try {
    for (const bytes of [1024 ** 2, 4096]) writeUntilFull(fd, Buffer.alloc(bytes))
  } finally {
    closeSync(fd)
  }
}

function writeUntilFull(fd: number, block: Buffer): void {
  try {
    while (writeSync(fd, block) === block.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
