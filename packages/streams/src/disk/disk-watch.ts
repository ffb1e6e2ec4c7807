import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Logger } from '@millrace/logger'
import type { Metrics } from '@millrace/telemetry'
import { streamErrors } from '../errors.js'
import type { ProducerDisks } from '../producer/producer-types.js'

/** A disk that a producer needs: of the stream's server, if it is on this machine, or of the spool. */
type DiskName = 'stream' | 'spool'

/** A disk counts as full until it has this much more free space than the limit: the state must not flicker. */
const HYSTERESIS = 1.1

export interface DiskWatchConfig {
  /** Directory of the data of the stream's server. Undefined when it is on another machine. */
  readonly streamPath: string | undefined
  /** Directory of the spool. Undefined when there is none. */
  readonly spoolPath: string | undefined
  /** A disk with less free space counts as full. 0: only a write that fails tells. */
  readonly freeBytesMin: number
}

export interface DiskWatchDeps {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Free bytes of the disk below a directory. Default: what the system says. */
  readonly readFreeBytes?: (path: string) => Promise<number>
}

interface WatchedDisk {
  readonly name: DiskName
  readonly path: string
  freeBytes: number
  isFull: boolean
}

/** Knows which of the disks that a producer needs have too little room, from the last call of `poll`. */
export class DiskWatch implements ProducerDisks {
  readonly #config: DiskWatchConfig
  readonly #deps: DiskWatchDeps
  readonly #disks: readonly WatchedDisk[]
  readonly #freeBytes
  isStreamDiskFull = false
  isSpoolDiskFull = false

  constructor(config: DiskWatchConfig, deps: DiskWatchDeps) {
    this.#config = config
    this.#deps = deps
    this.#freeBytes = deps.metrics.gauge({
      name: 'millrace_ingest_disk_free_bytes',
      help: 'Free bytes of the disk of the stream (with STREAM_DISK_PATH) and of the disk of the spool',
      alert: 'below 10 times DISK_FREE_BYTES_MIN: below DISK_FREE_BYTES_MIN records are refused with 503',
      labels: ['disk'],
    })
    const paths: [DiskName, string | undefined][] = [
      ['stream', config.streamPath],
      ['spool', config.spoolPath],
    ]
    this.#disks = paths.flatMap(([name, path]) =>
      path === undefined ? [] : [{ name, path, freeBytes: Number.POSITIVE_INFINITY, isFull: false }],
    )
  }

  /** Reads the free space of each disk. A disk that cannot be read does not count as full. */
  async poll(): Promise<void> {
    for (const disk of this.#disks) {
      disk.freeBytes = await (this.#deps.readFreeBytes ?? readFreeBytes)(disk.path)
      if (Number.isFinite(disk.freeBytes)) this.#freeBytes.with({ disk: disk.name }).set(disk.freeBytes)
      const needed = this.#config.freeBytesMin * (disk.isFull ? HYSTERESIS : 1)
      this.#note(disk, disk.freeBytes < needed)
    }
    this.isStreamDiskFull = this.#isFull('stream')
    this.isSpoolDiskFull = this.#isFull('spool')
  }

  /**
   * Adds to a refusal of the producer which disk is full, for `/ready`: paths are no business of clients, so the refusals that they get have no details.
   * Any other error is returned unchanged.
   */
  explain(error: unknown): unknown {
    const name = streamErrors.STREAM_DISK_FULL.matches(error)
      ? 'stream'
      : streamErrors.STREAM_SPOOL_FULL.matches(error)
        ? 'spool'
        : undefined
    const disk = this.#disks.find((one) => one.name === name && one.isFull)
    if (disk === undefined) return error
    const make = name === 'stream' ? streamErrors.STREAM_DISK_FULL : streamErrors.STREAM_SPOOL_FULL
    return make({ cause: error, details: this.#factsOf(disk) })
  }

  #isFull(name: DiskName): boolean {
    return this.#disks.some((disk) => disk.name === name && disk.isFull)
  }

  #note(disk: WatchedDisk, isFull: boolean): void {
    if (isFull && !disk.isFull)
      this.#deps.logger.warn('a disk is almost full and records may be refused', this.#factsOf(disk))
    if (!isFull && disk.isFull) this.#deps.logger.info('a disk has room again', this.#factsOf(disk))
    disk.isFull = isFull
  }

  #factsOf({ name, path, freeBytes }: WatchedDisk) {
    return { disk_of: name, path, free_bytes: freeBytes, needed_bytes: this.#config.freeBytesMin }
  }
}

/** The space that ordinary users may still use. A directory that is missing will be on the disk of its parent. */
async function readFreeBytes(path: string): Promise<number> {
  const absolute = resolve(path)
  try {
    const { blocks, bavail, bsize, files, ffree } = await statfs(absolute)
    if (blocks === 0) return Number.POSITIVE_INFINITY
    // A file system without free inodes takes no new files.
    return files > 0 && ffree === 0 ? 0 : bavail * bsize
  } catch {
    const parent = dirname(absolute)
    return parent === absolute ? Number.POSITIVE_INFINITY : await readFreeBytes(parent)
  }
}
