import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { FrameToAppend } from '../driver/stream-driver.js'
import { PartitionCounts } from './partition-counts.js'
import { readRecord } from './record.js'

const CHUNK_BYTES = 1024 * 1024
const NAME = /^(\d{10})\.spool$/

export function segmentNumber(fileName: string): number | undefined {
  const match = NAME.exec(fileName)
  return match ? Number(match[1]) : undefined
}

/** One file of the spool. `length` counts whole, fsynced records; whatever lies behind it does not exist. */
export class Segment {
  readonly number: number
  readonly path: string
  length = 0
  /** Frames in it that are not drained. */
  readonly waiting = new PartitionCounts()
  readonly #file: FileHandle

  private constructor(number: number, path: string, file: FileHandle) {
    this.number = number
    this.path = path
    this.#file = file
  }

  /** @throws EEXIST: a number is never used twice. */
  static async create(directory: string, number: number): Promise<Segment> {
    const path = join(directory, `${String(number).padStart(10, '0')}.spool`)
    return new Segment(number, path, await open(path, 'wx+'))
  }

  static async openExisting(directory: string, fileName: string, number: number): Promise<Segment> {
    const path = join(directory, fileName)
    return new Segment(number, path, await open(path, 'r+'))
  }

  /** Writes and fsyncs. When it throws, none of it counts; the file is cut back to what did, as far as the disk lets us. */
  async append(buffers: Buffer[], bytes: number): Promise<void> {
    try {
      await this.#writeAll(buffers, bytes)
      await this.#file.datasync()
      this.length += bytes
    } catch (error) {
      await this.#file.truncate(this.length).catch(() => undefined)
      throw error
    }
  }

  /** Whole records from `offset` on: at least one where there is one, then up to about `bytesMax`. */
  async read(offset: number, framesMax: number, bytesMax: number): Promise<{ records: FrameToAppend[]; end: number }> {
    const records: FrameToAppend[] = []
    let wanted = Math.min(bytesMax, this.length - offset)
    if (wanted <= 0) return { records, end: offset }
    for (;;) {
      const bytes = await this.#readAt(offset, wanted)
      let at = 0
      while (records.length < framesMax) {
        const read = readRecord(bytes, at)
        if (read.kind === 'record') {
          records.push(read.record)
          at = read.end
        } else if (
          read.kind === 'short' &&
          at === 0 &&
          offset + read.bytes <= this.length &&
          bytes.length < read.bytes
        ) {
          wanted = read.bytes
          break
        } else if (read.kind === 'damaged' || at === 0) {
          throw new Error(`record at ${offset + at} of ${this.path} is damaged`)
        } else return { records, end: offset + at }
      }
      if (records.length > 0) return { records, end: offset + at }
    }
  }

  /** Walks all records, tells each one's partition and end, and sets `length` to where they cease to be whole. Returns the file's size. */
  async scan(visit: (partition: number, end: number) => void): Promise<number> {
    const { size } = await this.#file.stat()
    let offset = 0
    let wanted = CHUNK_BYTES
    while (offset < size) {
      const bytes = await this.#readAt(offset, Math.min(wanted, size - offset))
      let at = 0
      let read = readRecord(bytes, at)
      for (; read.kind === 'record'; read = readRecord(bytes, at)) {
        at = read.end
        visit(read.record.partition, offset + at)
      }
      offset += at
      if (read.kind === 'damaged' || offset + read.bytes > size) break
      wanted = Math.max(CHUNK_BYTES, read.bytes)
    }
    this.length = offset
    return size
  }

  /** Cuts off what `scan` found to be no record. */
  async cut(): Promise<void> {
    await this.#file.truncate(this.length)
    await this.#file.datasync()
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async remove(): Promise<void> {
    await this.#file.close()
    await unlink(this.path)
  }

  async #writeAll(buffers: Buffer[], bytes: number): Promise<void> {
    const { bytesWritten } = await this.#file.writev(buffers, this.length)
    if (bytesWritten === bytes) return
    // A disk that fills up writes a part and only then fails: writing the rest brings out its reason.
    const rest = Buffer.concat(buffers).subarray(bytesWritten)
    const second = await this.#file.write(rest, 0, rest.length, this.length + bytesWritten)
    if (second.bytesWritten < rest.length)
      throw Object.assign(new Error('the disk took a part of the write only'), { code: 'ENOSPC' })
  }

  async #readAt(offset: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(bytes)
    const { bytesRead } = await this.#file.read(buffer, 0, bytes, offset)
    return buffer.subarray(0, bytesRead)
  }
}
