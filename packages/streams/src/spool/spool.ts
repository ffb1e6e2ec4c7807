import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@millrace/logger'
import type { FrameToAppend } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import { PartitionCounts } from './partition-counts.js'
import { encodeRecord, recordBytes } from './record.js'
import { Segment, segmentNumber } from './segment.js'
import { lockSpool } from './spool-lock.js'

export interface SpoolConfig {
  /** Made when it is not there. One process at a time. */
  readonly directory: string
  /** Bytes on disk. Default 1 GiB. */
  readonly bytesMax?: number
  /** A segment is closed when it is this long; a fully drained one is deleted. Default 16 MiB, at most an eighth of `bytesMax`. */
  readonly segmentBytes?: number
}

export interface SpoolDeps {
  readonly logger: Logger
}

interface Pending {
  readonly frames: readonly FrameToAppend[]
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** The disk is full, in the words of quotas, file size limits and file systems. */
const FULL_CODES = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const PAUSE_AFTER_FAULT_MS = 1000

/**
 * Frames on this machine's disk, first in, first out. What `append` has resolved for is fsynced and survives SIGKILL and power loss. What was
 * drained may come once more after a crash, never less than once.
 */
export class Spool {
  readonly #config: Required<SpoolConfig>
  readonly #logger: Logger
  readonly #unlock: () => Promise<void>
  readonly #segments: Segment[] = []
  /** All frames in the segments and those on their way into one. */
  readonly #waiting = new PartitionCounts()
  #bytes = 0
  #nextNumber = 1
  /** The newest segment that is wholly drained; not `#nextNumber` - 1, whose segment may be on its way to the disk at this moment. */
  #goneNumber = 0
  /** Read position: an offset into the first segment. */
  #readOffset = 0
  /** Where the frames end that the last `read` returned. */
  #window: { segment: Segment; end: number; frames: readonly FrameToAppend[] } | undefined
  #mustStartSegment = true
  #pending: Pending[] = []
  #pendingBytes = 0
  #writing: Promise<void> | undefined
  #faultUntil = 0
  #isPositionKept = true

  private constructor(config: Required<SpoolConfig>, logger: Logger, unlock: () => Promise<void>) {
    this.#config = config
    this.#logger = logger
    this.#unlock = unlock
  }

  /** @throws SPOOL_LOCKED, and what the file system throws. A torn last record is cut off with a warning: it was never acknowledged. */
  static async open(config: SpoolConfig, { logger }: SpoolDeps): Promise<Spool> {
    const bytesMax = config.bytesMax ?? 1024 ** 3
    const segmentBytes = Math.min(config.segmentBytes ?? 16 * 1024 ** 2, Math.ceil(bytesMax / 8))
    await mkdir(config.directory, { recursive: true })
    const unlock = await lockSpool(config.directory)
    const spool = new Spool({ directory: config.directory, bytesMax, segmentBytes }, logger, unlock)
    try {
      await spool.#recover()
    } catch (error) {
      await unlock()
      throw error
    }
    return spool
  }

  /** Frames that were appended (or are being appended) and not drained. */
  get frames(): number {
    return this.#waiting.total
  }

  /** Bytes on disk, drained ones of the first segment included. */
  get bytes(): number {
    return this.#bytes
  }

  framesOf(partition: number): number {
    return this.#waiting.of(partition)
  }

  get partitions(): number[] {
    return this.#waiting.partitions
  }

  /** True when an append would be refused at once. */
  get isFull(): boolean {
    return this.#bytes + this.#pendingBytes >= this.#config.bytesMax || performance.now() < this.#faultUntil
  }

  /** False when an append of `frames` would be refused before anything is written. */
  hasRoomFor(frames: readonly FrameToAppend[]): boolean {
    return !this.isFull && this.#bytes + this.#pendingBytes + bytesOf(frames) <= this.#config.bytesMax
  }

  /**
   * Resolves when all of `frames` are fsynced; calls that come while the disk is busy share its next write and fsync.
   * @throws STREAM_SPOOL_FULL when there is no room, or the disk fails. None of the frames counts then.
   */
  append(frames: readonly FrameToAppend[]): Promise<void> {
    if (!this.hasRoomFor(frames)) return Promise.reject(streamErrors.STREAM_SPOOL_FULL({ retryAfterSeconds: 5 }))
    const bytes = bytesOf(frames)
    this.#waiting.addFrames(frames, 1)
    this.#pendingBytes += bytes
    return new Promise((resolve, reject) => {
      this.#pending.push({ frames, bytes, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  /** The oldest frames that are not drained, in the order of their appends. The same ones again until `drained` is called. */
  async read(framesMax: number, bytesMax: number): Promise<readonly FrameToAppend[]> {
    for (;;) {
      const segment = this.#segments[0]
      if (segment === undefined) return []
      try {
        const { records, end } = await segment.read(this.#readOffset, framesMax, bytesMax)
        if (records.length > 0) {
          this.#window = { segment, end, frames: records }
          return records
        }
      } catch (error) {
        // Nobody can say what stood there, so the rest of the segment is lost; the sequences show it downstream.
        this.#logger.error('a segment of the spool is damaged and the rest of it is lost', {
          path: segment.path,
          error,
        })
        await this.#abandonFirst()
        continue
      }
      if (this.#segments.length === 1) return []
      await this.#removeFirst()
    }
  }

  /** All frames of the last `read` are held by the stream. */
  async drained(): Promise<void> {
    const window = this.#window
    if (window === undefined) return
    this.#window = undefined
    this.#waiting.addFrames(window.frames, -1)
    window.segment.waiting.addFrames(window.frames, -1)
    this.#readOffset = window.end
    if (this.frames === 0) await this.#removeFirst()
    else if (window.end >= window.segment.length && this.#segments.length > 1) await this.#removeFirst()
    await this.#keepPosition()
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#keepPosition()
    for (const segment of this.#segments) await segment.close()
    this.#segments.length = 0
    await this.#unlock()
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending
      const bytes = this.#pendingBytes
      this.#pending = []
      try {
        const segment = await this.#writableSegment()
        await segment.append(
          batch.flatMap(({ frames }) => frames.flatMap(encodeRecord)),
          bytes,
        )
        this.#bytes += bytes
        this.#pendingBytes -= bytes
        for (const { frames } of batch) segment.waiting.addFrames(frames, 1)
        for (const { resolve } of batch) resolve()
      } catch (error) {
        this.#pendingBytes -= bytes
        this.#refuse(batch, error as NodeJS.ErrnoException)
      }
    }
    // In the same turn as the last look at what is pending: later would leave behind what is appended in between.
    this.#writing = undefined
  }

  #refuse(batch: readonly Pending[], error: NodeJS.ErrnoException): void {
    // After a failed write or fsync nobody knows what the segment ends with: it gets no more records.
    this.#mustStartSegment = true
    if (performance.now() >= this.#faultUntil)
      this.#logger.error('the spool cannot be written to', { error, directory: this.#config.directory })
    this.#faultUntil = performance.now() + PAUSE_AFTER_FAULT_MS
    const message = FULL_CODES.has(error.code ?? '') ? 'the disk of the spool is full' : 'the disk of the spool fails'
    for (const { frames, reject } of batch) {
      this.#waiting.addFrames(frames, -1)
      reject(streamErrors.STREAM_SPOOL_FULL({ message, cause: error, retryAfterSeconds: 5 }))
    }
  }

  async #writableSegment(): Promise<Segment> {
    const last = this.#segments.at(-1)
    if (last !== undefined && !this.#mustStartSegment && last.length < this.#config.segmentBytes) return last
    const segment = await Segment.create(this.#config.directory, this.#nextNumber++)
    await syncDirectory(this.#config.directory)
    this.#segments.push(segment)
    this.#mustStartSegment = false
    return segment
  }

  async #removeFirst(): Promise<void> {
    const segment = this.#segments.shift()
    if (segment === undefined) return
    this.#goneNumber = segment.number
    this.#readOffset = 0
    this.#bytes -= segment.length
    if (this.#segments.length === 0) this.#mustStartSegment = true
    await segment.remove()
  }

  /** Forgets what cannot be read of the first segment; the file is kept aside for whoever wants to look. */
  async #abandonFirst(): Promise<void> {
    const segment = this.#segments.shift() as Segment
    this.#goneNumber = segment.number
    this.#readOffset = 0
    this.#bytes -= segment.length
    this.#mustStartSegment = true
    this.#waiting.subtract(segment.waiting)
    await segment.close()
    await rename(segment.path, `${segment.path}.damaged`)
  }

  async #recover(): Promise<void> {
    const names = (await readdir(this.#config.directory)).filter((name) => segmentNumber(name) !== undefined).sort()
    const kept = await this.#keptPosition()
    this.#nextNumber = kept.number + 1
    this.#goneNumber = kept.number
    for (const name of names) {
      const number = segmentNumber(name) as number
      this.#nextNumber = Math.max(this.#nextNumber, number + 1)
      const segment = await Segment.openExisting(this.#config.directory, name, number)
      const from = number === kept.number ? kept.offset : number < kept.number ? Number.MAX_SAFE_INTEGER : 0
      await this.#recoverSegment(segment, from, name === names.at(-1))
    }
    if (this.frames > 0)
      this.#logger.info('the spool holds frames of an earlier life', { frames: this.frames, bytes: this.#bytes })
  }

  async #recoverSegment(segment: Segment, readFrom: number, isLast: boolean): Promise<void> {
    let readOffset = 0
    const size = await segment.scan((partition, end) => {
      if (end <= readFrom) readOffset = end
      else segment.waiting.add(partition, 1)
    })
    if (segment.length < size) {
      const fields = { path: segment.path, cutBytes: size - segment.length }
      if (isLast) this.#logger.warn('a torn record at the end of the spool was cut off', fields)
      else this.#logger.error('a segment of the spool is damaged and the rest of it is lost', fields)
      await segment.cut()
    }
    if (readOffset >= segment.length) return await segment.remove()
    if (this.#segments.length === 0) this.#readOffset = readOffset
    this.#segments.push(segment)
    for (const partition of segment.waiting.partitions) this.#waiting.add(partition, segment.waiting.of(partition))
    this.#bytes += segment.length
  }

  /** Not fsynced and allowed to be old: frames that are drained twice are dropped by their sequence. */
  async #keepPosition(): Promise<void> {
    const path = join(this.#config.directory, 'position')
    const number = this.#segments[0]?.number ?? this.#goneNumber
    try {
      await writeFile(
        `${path}.new`,
        `${number} ${this.#segments.length > 0 ? this.#readOffset : Number.MAX_SAFE_INTEGER}\n`,
      )
      await rename(`${path}.new`, path)
      this.#isPositionKept = true
    } catch (error) {
      if (this.#isPositionKept) this.#logger.warn('the read position of the spool could not be kept', { error })
      this.#isPositionKept = false
    }
  }

  async #keptPosition(): Promise<{ number: number; offset: number }> {
    const text = await readFile(join(this.#config.directory, 'position'), 'utf8').catch(() => '')
    const match = /^(\d+) (\d+)\n$/.exec(text)
    return match ? { number: Number(match[1]), offset: Number(match[2]) } : { number: 0, offset: 0 }
  }
}

function bytesOf(frames: readonly FrameToAppend[]): number {
  return frames.reduce((sum, { frame }) => sum + recordBytes(frame), 0)
}

/** So that the names of new files survive power loss too. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
