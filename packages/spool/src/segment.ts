import { join } from 'node:path'
import type { SpoolFile, SpoolFileSystem } from './file-system.js'
import { KeyCounts } from './key-counts.js'
import { readRecord } from './record.js'
import type { SpoolCodec } from './spool-codec.js'

const CHUNK_BYTES = 1024 * 1024
const NAME = /^(\d{10})\.spool$/

/** The number of a segment file, undefined for any other file. */
export function segmentNumber(fileName: string): number | undefined {
  const match = NAME.exec(fileName)
  return match ? Number(match[1]) : undefined
}

function fileNameOf(number: number): string {
  return `${String(number).padStart(10, '0')}.spool`
}

export interface SegmentDeps<T> {
  readonly directory: string
  readonly files: SpoolFileSystem
  readonly codec: SpoolCodec<T>
}

/** One file of the spool. `length` counts whole, fsynced records; bytes behind it are not part of the spool. */
export class Segment<T> {
  readonly number: number
  readonly path: string
  length = 0
  /** Records that have not been removed yet. */
  readonly waiting = new KeyCounts()
  readonly #file: SpoolFile
  readonly #files: SpoolFileSystem
  readonly #codec: SpoolCodec<T>

  private constructor(number: number, path: string, file: SpoolFile, { files, codec }: SegmentDeps<T>) {
    this.number = number
    this.path = path
    this.#file = file
    this.#files = files
    this.#codec = codec
  }

  /** The new file survives power loss once this resolves. @throws EEXIST: a number is never used twice. */
  static async create<T>(number: number, deps: SegmentDeps<T>): Promise<Segment<T>> {
    const path = join(deps.directory, fileNameOf(number))
    const file = await deps.files.create(path)
    try {
      await deps.files.syncDirectory(deps.directory)
    } catch (error) {
      await file.close()
      throw error
    }
    return new Segment(number, path, file, deps)
  }

  static async open<T>(number: number, deps: SegmentDeps<T>): Promise<Segment<T>> {
    const path = join(deps.directory, fileNameOf(number))
    return new Segment(number, path, await deps.files.open(path), deps)
  }

  /**
   * Writes and fsyncs. When it throws, none of the bytes count, and the file is cut back to `length` if the disk allows it; otherwise they may
   * be found after a restart.
   */
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

  /** Whole records from `offset` on: at least one where there is one, then up to about `bytesMax`. @throws for a damaged record. */
  async read(offset: number, recordsMax: number, bytesMax: number): Promise<{ records: T[]; end: number }> {
    const records: T[] = []
    let wanted = Math.min(bytesMax, this.length - offset)
    if (wanted <= 0) return { records, end: offset }
    for (;;) {
      const bytes = await this.#file.read(offset, wanted)
      let at = 0
      while (records.length < recordsMax) {
        const read = readRecord(bytes, at)
        if (read.kind === 'record') {
          records.push(this.#codec.decode(read.body))
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

  /**
   * Reads all records of an existing file, calls `visit` with each one and the offset behind it, and sets `length` to the end of the last whole
   * record. Returns the size of the file.
   */
  async scan(visit: (record: T, end: number) => void): Promise<number> {
    const size = await this.#file.size()
    let offset = 0
    let wanted = CHUNK_BYTES
    while (offset < size) {
      const bytes = await this.#file.read(offset, Math.min(wanted, size - offset))
      let at = 0
      let read = readRecord(bytes, at)
      for (; read.kind === 'record'; read = readRecord(bytes, at)) {
        const record = this.#tryDecode(read.body)
        if (record === undefined) break
        at = read.end
        visit(record.value, offset + at)
      }
      offset += at
      if (read.kind !== 'short' || offset + read.bytes > size) break
      wanted = Math.max(CHUNK_BYTES, read.bytes)
    }
    this.length = offset
    return size
  }

  /** Cuts off the bytes behind the last whole record that `scan` found. */
  async cut(): Promise<void> {
    await this.#file.truncate(this.length)
    await this.#file.datasync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async remove(): Promise<void> {
    await this.#file.close()
    await this.#files.remove(this.path)
  }

  /** Closes the file and renames it, so that it can be examined. */
  async putAside(): Promise<void> {
    await this.#file.close()
    await this.#files.rename(this.path, `${this.path}.damaged`)
  }

  #tryDecode(body: Buffer): { readonly value: T } | undefined {
    try {
      return { value: this.#codec.decode(body) }
    } catch {
      return undefined
    }
  }

  async #writeAll(buffers: Buffer[], bytes: number): Promise<void> {
    const written = await this.#file.write(buffers, this.length)
    if (written === bytes) return
    // A disk that fills up takes a part and fails only afterwards: a second write brings out the reason.
    const rest = Buffer.concat(buffers).subarray(written)
    const more = await this.#file.write([rest], this.length + written)
    if (more < rest.length) throw Object.assign(new Error('the disk took only a part of the write'), { code: 'ENOSPC' })
  }
}
