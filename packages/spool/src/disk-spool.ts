import { join } from 'node:path'
import { KeyCounts } from './key-counts.js'
import { type ReadPosition, ReadPositionFile } from './read-position.js'
import { encodeRecord, recordBytes } from './record.js'
import { Segment, type SegmentDeps, segmentNumber } from './segment.js'
import type { SpoolKey } from './spool-codec.js'
import { spoolErrors } from './spool-errors.js'
import type { Spool, SpoolConfig, SpoolDeps } from './spool-types.js'

interface PendingAppend {
  readonly bodies: readonly (readonly Buffer[])[]
  readonly bytes: number
  readonly counts: KeyCounts
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface DiskSpoolDeps<T> extends Required<SpoolDeps<T>> {
  readonly unlock: () => Promise<void>
}

/** A full disk, as quotas, limits of file size and file systems report it. */
const FULL_CODES = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const PAUSE_AFTER_FAULT_MS = 1000
const RETRY_AFTER_SECONDS = 5
const PROBE_BYTES = 65_536

/** See `Spool`. */
export class DiskSpool<T> implements Spool<T> {
  readonly #config: Required<SpoolConfig>
  readonly #deps: DiskSpoolDeps<T>
  readonly #segmentDeps: SegmentDeps<T>
  readonly #positionFile: ReadPositionFile
  readonly #segments: Segment<T>[] = []
  /** Records in the segments and records on their way into one. */
  readonly #waiting = new KeyCounts()
  #bytes = 0
  #nextNumber = 1
  /** The newest segment that was removed; not `#nextNumber` - 1, whose segment may be under creation at this moment. */
  #removedNumber = 0
  /** Offset in the first segment. */
  #readOffset = 0
  /** The last `read`. */
  #lastRead: { segment: Segment<T>; end: number; counts: KeyCounts } | undefined
  #mustStartSegment = true
  #pending: PendingAppend[] = []
  #pendingBytes = 0
  #writing: Promise<void> | undefined
  #faultUntil = 0
  /** After a write that found the disk full: the spool stays full until a probe of the disk succeeds. */
  #isDiskFull = false
  #probing: Promise<void> | undefined

  constructor(config: Required<SpoolConfig>, deps: DiskSpoolDeps<T>) {
    const { directory } = config
    this.#config = config
    this.#deps = deps
    this.#segmentDeps = { directory, files: deps.files, codec: deps.codec }
    this.#positionFile = new ReadPositionFile({ directory, files: deps.files, logger: deps.logger })
  }

  get records(): number {
    return this.#waiting.total
  }

  get bytes(): number {
    return this.#bytes
  }

  recordsOf(key: SpoolKey): number {
    return this.#waiting.of(key)
  }

  get isFull(): boolean {
    if (this.#bytes + this.#pendingBytes >= this.#config.bytesMax || performance.now() < this.#faultUntil) return true
    if (this.#isDiskFull) this.#probing ??= this.#probe()
    return this.#isDiskFull
  }

  hasRoomFor(records: readonly T[]): boolean {
    return this.#hasRoom(bytesOf(records.map((record) => this.#deps.codec.encode(record))))
  }

  append(records: readonly T[]): Promise<void> {
    const bodies = records.map((record) => this.#deps.codec.encode(record))
    const bytes = bytesOf(bodies)
    if (!this.#hasRoom(bytes)) return Promise.reject(spoolErrors.SPOOL_FULL({ retryAfterSeconds: RETRY_AFTER_SECONDS }))
    const counts = this.#count(records)
    this.#waiting.addAll(counts, 1)
    this.#pendingBytes += bytes
    return new Promise((resolve, reject) => {
      this.#pending.push({ bodies, bytes, counts, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  async read(recordsMax: number, bytesMax: number): Promise<readonly T[]> {
    for (;;) {
      const segment = this.#segments[0]
      if (segment === undefined) return []
      try {
        const { records, end } = await segment.read(this.#readOffset, recordsMax, bytesMax)
        if (records.length > 0) {
          this.#lastRead = { segment, end, counts: this.#count(records) }
          return records
        }
      } catch (error) {
        // The records behind the damage cannot be found, so they are lost as well.
        this.#deps.logger.error('a segment of the spool is damaged and the rest of it is lost', {
          path: segment.path,
          error,
        })
        await this.#putFirstAside()
        continue
      }
      if (this.#segments.length === 1) return []
      await this.#removeFirst()
    }
  }

  async removeRead(): Promise<void> {
    const last = this.#lastRead
    if (last === undefined) return
    this.#lastRead = undefined
    this.#waiting.addAll(last.counts, -1)
    last.segment.waiting.addAll(last.counts, -1)
    this.#readOffset = last.end
    if (this.records === 0) await this.#removeFirst()
    else if (last.end >= last.segment.length && this.#segments.length > 1) await this.#removeFirst()
    await this.#positionFile.save(this.#position)
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#probing
    await this.#positionFile.save(this.#position)
    for (const segment of this.#segments) await segment.close()
    this.#segments.length = 0
    await this.#deps.unlock()
  }

  async recover(): Promise<void> {
    const { files, logger } = this.#deps
    const position = await this.#positionFile.load()
    const names = await files.list(this.#config.directory)
    const numbers = names.map(segmentNumber).filter((number) => number !== undefined)
    numbers.sort((a, b) => a - b)
    this.#nextNumber = Math.max(position.number, numbers.at(-1) ?? 0) + 1
    this.#removedNumber = position.number
    for (const number of numbers) {
      const segment = await Segment.open(number, this.#segmentDeps)
      await this.#recoverSegment(segment, position, number === numbers.at(-1))
    }
    if (this.records > 0)
      logger.info('the spool holds records of an earlier process', { records: this.records, bytes: this.#bytes })
  }

  async #recoverSegment(segment: Segment<T>, position: ReadPosition, isLast: boolean): Promise<void> {
    const { codec, logger } = this.#deps
    const isOlder = segment.number < position.number
    const isRemoved = (end: number) => isOlder || (segment.number === position.number && end <= position.offset)
    let readOffset = 0
    const size = await segment.scan((record, end) => {
      if (isRemoved(end)) readOffset = end
      else segment.waiting.add(codec.keyOf(record), 1)
    })
    if (segment.length < size) {
      const fields = { path: segment.path, cutBytes: size - segment.length }
      if (isLast) logger.warn('a torn record at the end of the spool was cut off', fields)
      else logger.error('a segment of the spool is damaged and the rest of it is lost', fields)
      await segment.cut()
    }
    if (readOffset >= segment.length) return await segment.remove()
    if (this.#segments.length === 0) this.#readOffset = readOffset
    this.#segments.push(segment)
    this.#waiting.addAll(segment.waiting, 1)
    this.#bytes += segment.length
  }

  #hasRoom(bytes: number): boolean {
    return !this.isFull && this.#bytes + this.#pendingBytes + bytes <= this.#config.bytesMax
  }

  #count(records: readonly T[]): KeyCounts {
    const counts = new KeyCounts()
    for (const record of records) counts.add(this.#deps.codec.keyOf(record), 1)
    return counts
  }

  get #position(): ReadPosition {
    const first = this.#segments[0]
    return first === undefined
      ? { number: this.#removedNumber, offset: Number.MAX_SAFE_INTEGER }
      : { number: first.number, offset: this.#readOffset }
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending
      const bytes = this.#pendingBytes
      this.#pending = []
      try {
        const segment = await this.#writableSegment()
        await segment.append(
          batch.flatMap(({ bodies }) => bodies.flatMap(encodeRecord)),
          bytes,
        )
        this.#bytes += bytes
        this.#pendingBytes -= bytes
        for (const { counts } of batch) segment.waiting.addAll(counts, 1)
        for (const { resolve } of batch) resolve()
      } catch (error) {
        this.#pendingBytes -= bytes
        this.#refuse(batch, error as NodeJS.ErrnoException)
      }
    }
    // In the same turn as the last check of pending appends: otherwise an append in between would wait without end.
    this.#writing = undefined
  }

  #refuse(batch: readonly PendingAppend[], error: NodeJS.ErrnoException): void {
    // After a failed write or fsync the end of the segment is unknown: it gets no more records.
    this.#mustStartSegment = true
    if (performance.now() >= this.#faultUntil)
      this.#deps.logger.error('the spool cannot be written to', { error, directory: this.#config.directory })
    this.#faultUntil = performance.now() + PAUSE_AFTER_FAULT_MS
    this.#isDiskFull = FULL_CODES.has(error.code ?? '')
    const message = FULL_CODES.has(error.code ?? '') ? 'the disk of the spool is full' : 'the disk of the spool fails'
    for (const { counts, reject } of batch) {
      this.#waiting.addAll(counts, -1)
      reject(spoolErrors.SPOOL_FULL({ message, cause: error, retryAfterSeconds: RETRY_AFTER_SECONDS }))
    }
  }

  /** Never rejects. Finds out whether the disk takes a write again, without a caller's record. */
  async #probe(): Promise<void> {
    const { files, logger } = this.#deps
    const path = join(this.#config.directory, 'probe')
    try {
      const file = await files.create(path)
      try {
        const written = await file.write([Buffer.alloc(PROBE_BYTES)], 0)
        await file.datasync()
        this.#isDiskFull = written < PROBE_BYTES
      } finally {
        await file.close()
      }
      if (!this.#isDiskFull) logger.info('the disk of the spool has room again', { directory: this.#config.directory })
    } catch {
      // It is tried again after the pause.
    }
    await files.remove(path).catch(() => undefined)
    if (this.#isDiskFull) this.#faultUntil = performance.now() + PAUSE_AFTER_FAULT_MS
    this.#probing = undefined
  }

  async #writableSegment(): Promise<Segment<T>> {
    const last = this.#segments.at(-1)
    if (last !== undefined && !this.#mustStartSegment && last.length < this.#config.segmentBytes) return last
    const segment = await Segment.create(this.#nextNumber++, this.#segmentDeps)
    this.#segments.push(segment)
    this.#mustStartSegment = false
    return segment
  }

  async #removeFirst(): Promise<void> {
    await this.#dropFirst()?.remove()
    await this.#deps.files.syncDirectory(this.#config.directory)
  }

  async #putFirstAside(): Promise<void> {
    const segment = this.#dropFirst()
    if (segment === undefined) return
    this.#mustStartSegment = true
    this.#waiting.addAll(segment.waiting, -1)
    await segment.putAside()
    await this.#deps.files.syncDirectory(this.#config.directory)
  }

  #dropFirst(): Segment<T> | undefined {
    const segment = this.#segments.shift()
    if (segment === undefined) return undefined
    this.#removedNumber = segment.number
    this.#readOffset = 0
    this.#bytes -= segment.length
    if (this.#segments.length === 0) this.#mustStartSegment = true
    return segment
  }
}

function bytesOf(bodies: readonly (readonly Buffer[])[]): number {
  return bodies.reduce((sum, body) => sum + recordBytes(body), 0)
}
