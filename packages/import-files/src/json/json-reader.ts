import { isUtf8 } from 'node:buffer'
import {
  type Checkpoint,
  DEFAULT_LIMITS,
  FILE_START,
  type FileRecord,
  type ReaderLimits,
  type RecordFaultCode,
  type RecordReader,
} from '../records/file-record.js'
import { PendingBytes } from '../records/pending-bytes.js'
import { JsonCells } from './json-cells.js'
import type { JsonFormat } from './json-format.js'

const [LF, QUOTE, BACKSLASH] = [0x0a, 0x22, 0x5c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET, COMMA] = [0x7b, 0x7d, 0x5b, 0x5d, 0x2c]
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === LF || byte === 0x0d || byte === 0x09

interface ReaderConfig {
  readonly format: JsonFormat
  /** Where to begin; what is pushed begins there. */
  readonly from?: Checkpoint
  readonly limits?: Partial<ReaderLimits>
}

/**
 * Reads objects of NDJSON (one a line) or of one JSON list. In a list the brackets and quotes decide where an object ends. After text that is no
 * object, reading goes on at the next line that begins with `{`, so that one bad record does not cost the rest of the file.
 */
export class JsonReader implements RecordReader {
  readonly #isArray: boolean
  readonly #limits: ReaderLimits
  readonly #cells: JsonCells
  readonly #pending = new PendingBytes([LF, LF])
  #at = 0
  #offset: number
  #lines: number
  #records: number
  #out: FileRecord[] = []
  #isSkipping = false
  /** Spaces before what is read next, if nothing else of its line is before it. */
  #indent = 0
  #hasTextInLine = false
  /** Indentation of the record that could not be read. */
  #badIndent = 0
  /** Where the scan of an element in the list goes on: position, open brackets, and whether it is inside a string. */
  #scan = { at: 0, depth: 0, isText: false }

  constructor({ format, from = FILE_START, limits = {} }: ReaderConfig) {
    this.#isArray = format.layout === 'array'
    this.#cells = new JsonCells(format.columns)
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
    this.#offset = from.offset
    this.#lines = from.lines
    this.#records = from.records
  }

  get checkpoint(): Checkpoint {
    return { offset: this.#offset, lines: this.#lines, records: this.#records }
  }

  push(bytes: Uint8Array): FileRecord[] {
    return this.#read(bytes, false)
  }

  end(): FileRecord[] {
    return this.#read(new Uint8Array(), true)
  }

  #read(bytes: Uint8Array, isLast: boolean): FileRecord[] {
    this.#scan.at -= this.#at
    this.#pending.replace(this.#at, bytes)
    this.#at = 0
    this.#out = []
    while (this.#at < this.#pending.end && this.#readNext(isLast));
    return this.#out
  }

  #readNext(isLast: boolean): boolean {
    if (this.#isSkipping) return this.#skip(isLast)
    return this.#isArray ? this.#readElement(isLast) : this.#readLine(isLast)
  }

  #readLine(isLast: boolean): boolean {
    const { bytes, end } = this.#pending
    const found = bytes.indexOf(LF, Math.max(this.#scan.at, this.#at))
    const isWhole = found >= 0 && found < end
    if (!isWhole && !isLast) {
      this.#scan.at = end
      return end - this.#at >= this.#limits.recordBytesMax + 2 && this.#rejectLarge()
    }
    const lineEnd = isWhole ? found : end
    const next = isWhole ? found + 1 : end
    let stop = lineEnd
    if (stop > this.#at && bytes[stop - 1] === 0x0d) stop--
    if (stop - this.#at > this.#limits.recordBytesMax) return this.#rejectLarge()
    if (this.#isBlank(this.#at, stop)) this.#advance(next, 0)
    else this.#take({ start: this.#at, stop }, next)
    return true
  }

  #isBlank(start: number, end: number): boolean {
    for (let at = start; at < end; at++) if (!isSpace(this.#pending.bytes[at])) return false
    return true
  }

  /** Reads an element of the list, or what stands between two of them. */
  #readElement(isLast: boolean): boolean {
    const { bytes, end } = this.#pending
    if (this.#scan.at <= this.#at) {
      let at = this.#at
      while (
        at < end &&
        (isSpace(bytes[at]) || bytes[at] === COMMA || bytes[at] === OPEN_BRACKET || bytes[at] === CLOSE_BRACKET)
      )
        at++
      if (at > this.#at) {
        this.#advance(at, 0)
        return true
      }
      this.#scan.at = this.#at
    }
    const isObject = bytes[this.#at] === OPEN_BRACE
    const stop = isObject ? this.#findObjectEnd() : this.#findOtherEnd(isLast)
    if (stop !== undefined && stop - this.#at <= this.#limits.recordBytesMax) {
      this.#take({ start: this.#at, stop }, stop)
      return true
    }
    if (stop !== undefined || end - this.#at > this.#limits.recordBytesMax) return this.#rejectLarge()
    if (!isLast) return false
    return this.#rejectText(
      'invalid_json',
      'the file ends inside this object, or a bracket or quote of it is missing',
      true,
    )
  }

  /** Position after the bracket that closes the object. */
  #findObjectEnd(): number | undefined {
    const { bytes, end } = this.#pending
    let { at, depth, isText } = this.#scan
    for (; at < end; at++) {
      const byte = bytes[at]
      if (isText) {
        if (byte === BACKSLASH) at++
        else if (byte === QUOTE) isText = false
      } else if (byte === QUOTE) isText = true
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) {
        this.#scan = { at: at + 1, depth: 0, isText: false }
        return at + 1
      }
    }
    this.#scan = { at, depth, isText }
    return undefined
  }

  /** Position after a text, number or other thing that is no object. */
  #findOtherEnd(isLast: boolean): number | undefined {
    const { bytes, end } = this.#pending
    let { at, isText } = this.#scan
    for (; at < end; at++) {
      const byte = bytes[at]
      if (byte === LF) break
      if (isText) {
        if (byte === BACKSLASH) at++
        else if (byte === QUOTE) isText = false
      } else if (byte === QUOTE) isText = true
      else if (byte === COMMA || byte === CLOSE_BRACKET) break
    }
    this.#scan = { at, depth: 0, isText }
    return at < end || isLast ? Math.min(at, end) : undefined
  }

  #take({ start, stop }: { start: number; stop: number }, next: number): void {
    const view = this.#pending.bytes.subarray(start, stop)
    if (!isUtf8(view)) {
      this.#reject('invalid_utf8', 'the record is not UTF-8', next)
      return
    }
    const text = view.toString('utf8')
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      const reason = `the record is not JSON: ${(error as Error).message.slice(0, 200)}`
      this.#badIndent = this.#indent
      // If a bracket is missing, what seems to be one object is several.
      const following = this.#isArray ? this.#nextRecordLine(start) : undefined
      this.#reject('invalid_json', reason, following !== undefined && following < stop ? following : next)
      return
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#reject('not_an_object', 'the record is not a JSON object', next)
      return
    }
    const { cells, otherMembers } = this.#cells.read(value, text)
    const nul = cells.findIndex((cell) => cell?.includes('\0'))
    if (nul >= 0) {
      this.#reject('nul_character', 'a value has a NUL character, which PostgreSQL cannot store', next, nul + 1)
      return
    }
    this.#out.push({ kind: 'record', line: this.#lines + 1, number: this.#records + 1, cells, otherMembers })
    this.#advance(next, 1)
  }

  #rejectLarge(): boolean {
    return this.#rejectText('record_too_large', `the record is larger than ${this.#limits.recordBytesMax} bytes`, false)
  }

  /** Rejects what is up to the next line that can begin a record. */
  #rejectText(code: RecordFaultCode, reason: string, isLast: boolean): boolean {
    this.#badIndent = this.#indent
    const next = this.#nextRecordLine(this.#at)
    const limit = this.#at + this.#limits.recordBytesMax
    if (next === undefined && !isLast && this.#pending.end <= limit) return false
    this.#reject(code, reason, next ?? (isLast ? this.#pending.end : this.#skippableEnd()))
    this.#isSkipping = next === undefined
    return true
  }

  /**
   * In a list only a line that begins with `{`, no deeper than the record that cannot be read, can be the start of a record: a deeper line may be an object
   * inside that record.
   */
  #nextRecordLine(from: number): number | undefined {
    const { bytes, end } = this.#pending
    for (let at = bytes.indexOf(LF, from); at >= 0 && at < end; at = bytes.indexOf(LF, at + 1)) {
      if (!this.#isArray) return at + 1
      let first = at + 1
      while (first < end && isSpace(bytes[first]) && bytes[first] !== LF) first++
      if (first < end && bytes[first] === OPEN_BRACE && first - at - 1 <= this.#badIndent) return first
    }
    return undefined
  }

  #skip(isLast: boolean): boolean {
    const next = this.#nextRecordLine(this.#at)
    if (next !== undefined) {
      this.#isSkipping = false
      this.#advance(next, 0)
      return true
    }
    this.#advance(isLast ? this.#pending.end : this.#skippableEnd(), 0)
    return false
  }

  /** The end of what is there, or the last line ending if only spaces follow it: the next line may begin with `{`. */
  #skippableEnd(): number {
    const { bytes, end } = this.#pending
    if (!this.#isArray) return end
    const last = bytes.lastIndexOf(LF, end - 1)
    return last >= this.#at && end - last <= this.#limits.recordBytesMax && this.#isBlank(last, end) ? last : end
  }

  #reject(code: RecordFaultCode, reason: string, next: number, column?: number): void {
    const kept = Math.min(next, this.#at + Math.min(this.#limits.rejectedBytesMax, this.#limits.recordBytesMax))
    this.#out.push({
      kind: 'rejected',
      line: this.#lines + 1,
      number: this.#records + 1,
      code,
      reason,
      column,
      offset: this.#offset,
      bytes: Buffer.from(this.#pending.bytes.subarray(this.#at, kept)),
      isCut: kept < next,
    })
    this.#advance(next, 1)
  }

  #advance(next: number, records: number): void {
    const { bytes } = this.#pending
    let from = this.#at
    for (let at = bytes.indexOf(LF, from); at >= 0 && at < next; at = bytes.indexOf(LF, from)) {
      this.#lines++
      from = at + 1
      this.#indent = 0
      this.#hasTextInLine = false
    }
    this.#hasTextInLine ||= !this.#isBlank(from, next)
    this.#indent = this.#hasTextInLine ? 0 : this.#indent + next - from
    this.#offset += next - this.#at
    this.#records += records
    this.#at = next
    this.#scan = { at: next, depth: 0, isText: false }
  }
}
