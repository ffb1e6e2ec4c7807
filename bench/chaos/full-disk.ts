import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { mountSmallDisk, removeTemporary, type SmallDisk, temporaryDirectory } from '@millrace/local-stack'

/** A part of a stack that has files of its own: a folder of the data directory. */
export type DiskPart = 'postgres' | 'redis-stream' | 'kafka' | 'services' | 'log'

/** A data directory of which some parts are on a small disk of their own and the rest is on the ordinary one. */
export interface SmallDataDirectory {
  readonly path: string
  fill(): void
  free(): void
  remove(): void
}

const DISK_BYTES = 400 * 1024 ** 2

/** Needs `canMountSmallDisk`. */
export function createSmallDataDirectory(parts: readonly DiskPart[]): SmallDataDirectory {
  const disk = mountSmallDisk(DISK_BYTES) as SmallDisk
  const ordinary = temporaryDirectory('millrace-ordinary-')
  // PostgreSQL's folder is replaced when the cluster is made, so it cannot be a link: its disk holds the data directory.
  const isPostgresSmall = parts.includes('postgres')
  const [home, other] = isPostgresSmall ? [disk.path, ordinary] : [ordinary, disk.path]
  const path = join(home, 'data')
  mkdirSync(path, { mode: 0o755 })
  for (const part of ['redis-stream', 'kafka', 'services', 'log'] as const) {
    if (parts.includes(part) === isPostgresSmall) continue
    mkdirSync(join(other, part))
    symlinkSync(join(other, part), join(path, part))
  }
  return {
    path,
    fill: disk.fill,
    free: disk.free,
    remove: () => {
      disk.remove()
      removeTemporary(ordinary)
    },
  }
}
