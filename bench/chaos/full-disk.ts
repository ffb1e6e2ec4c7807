import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { mountSmallDisk, removeTemporary, type SmallDisk, temporaryDirectory } from '@millrace/local-stack'

/** A part of a stack that has files of its own: a folder of the data directory. */
export type DiskPart = 'postgres' | 'redis-stream' | 'kafka' | 'services' | 'log'

/** A data directory of which some parts are on small disks, one each, and the rest is on the ordinary one or on that of PostgreSQL. */
export interface SmallDataDirectory {
  readonly path: string
  /** Fills the disks of these parts. May be called again, to fill what was freed meanwhile. */
  fill(parts: readonly DiskPart[]): void
  /** Makes room on all disks. */
  free(): void
  remove(): void
}

/** Memory, once a disk is full. A start of PostgreSQL needs 112 MiB, and all parts need 64 MiB free. */
const DISK_BYTES = { postgres: 500, kafka: 400, 'redis-stream': 256, services: 128, log: 128 }

/** Needs `canMountSmallDisk`. */
export function createSmallDataDirectory(parts: readonly DiskPart[]): SmallDataDirectory {
  const ordinary = temporaryDirectory('millrace-ordinary-')
  const disks = new Map(parts.map((part) => [part, mountSmallDisk(DISK_BYTES[part] * 1024 ** 2) as SmallDisk]))
  // PostgreSQL's folder is replaced when the cluster is made, so it cannot be a link: its disk holds the data directory.
  const path = join(disks.get('postgres')?.path ?? ordinary, 'data')
  mkdirSync(path, { mode: 0o755 })
  for (const [part, disk] of disks) {
    if (part === 'postgres') continue
    mkdirSync(join(disk.path, part))
    symlinkSync(join(disk.path, part), join(path, part))
  }
  return {
    path,
    fill: (full) => {
      for (const part of full) disks.get(part)?.fill()
    },
    free: () => {
      for (const disk of disks.values()) disk.free()
    },
    remove: () => {
      for (const disk of disks.values()) disk.remove()
      removeTemporary(ordinary)
    },
  }
}
