import { isAscii, isUtf8 } from 'node:buffer'
import {
  type Cell,
  type Checkpoint,
  DEFAULT_LIMITS,
  FILE_START,
  type FileRecord,
  type ReaderLimits,
  type RecordFaultCode,
  type RecordReader,
} from '../records/file-record.js'
import { PendingBytes } from '../records/pending-bytes.js'
import { checkDelimitedFormat } from './check-delimited-format.js'
import type { DelimitedFormat } from './delimited-format.js'
import { DelimitedScanner, type ScanResult, sentinelBytes } from './delimited-scanner.js'

const [LF, CR] = [0x0a, 0x0d]
/** A record that is not complete is scanned again once so much more of it is there, so that the work stays linear for any size of pieces. */
const RESCAN_GROWTH = 1.5
const RESCAN_BYTES_MIN = 4096
/** A record with more cells than this beyond its columns is not read for empty ones at its end. */
const EXCESS_CELLS_MAX = 256
/** After a fault, looking for the next good line may scan the record again as often as this. */
const RESYNC_SCANS_MAX = 16

interface Fault {
  readonly code: RecordFaultCode
  readonly reason: string
  readonly column: number | undefined
  /** Position of the fault in the pending bytes. */
  readonly at: number
}

interface ReaderConfig {
  readonly format: DelimitedFormat
  /** Where to begin; what is pushed begins there. The header is expected only at the start of the file. */
  readonly from?: Checkpoint
  readonly limits?: Partial<ReaderLimits>
}

/**
 * Reads records of CSV, TSV and the like (RFC 4180 with the liberties of the format). A record that cannot be read costs as few lines as possible: after a
 * quote that is not closed, text after a closing quote or a wrong number of cells in a record of several lines, reading goes on at the next line, inside
 * the bad record, that is a record with the right number of cells. Empty lines are no records.
 * @throws IMPORT_FORMAT_INVALID
 */
export class DelimitedReader implements RecordReader {
  readonly #format: DelimitedFormat
  readonly #limits: ReaderLimits
  readonly #scanner: DelimitedScanner
  readonly #pending: PendingBytes
  #at = 0
  #scanAgainFrom = 0
  #isSkippingLine = false
  #isHeaderNext: boolean
  #offset: number
  #lines: number
  #records: number
  #out: FileRecord[] = []
  /** The pending bytes as text, when all of them are ASCII. */
  #ascii: string | undefined
  #isValid = true
  #hasNul = false

  constructor({ format, from = FILE_START, limits = {} }: ReaderConfig) {
    checkDelimitedFormat(format)
    this.#format = format
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
    this.#scanner = new DelimitedScanner(format, Math.min(this.#limits.columnsMax, format.columns + EXCESS_CELLS_MAX))
    this.#pending = new PendingBytes(sentinelBytes(format))
    this.#isHeaderNext = format.hasHeader && from.offset === 0
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
    const pending = this.#pending
    pending.replace(this.#at, bytes)
    this.#at = 0
    this.#out = []
    if (pending.end < this.#scanAgainFrom && !isLast) return []
    this.#scanAgainFrom = 0
    this.#examine()
    while (this.#at < pending.end && this.#readNext(isLast));
    this.#ascii = undefined
    const left = pending.end - this.#at
    if (left > RESCAN_BYTES_MIN) this.#scanAgainFrom = left * RESCAN_GROWTH
    return this.#out
  }

  #examine(): void {
    const view = this.#pending.bytes.subarray(0, this.#pending.end)
    this.#ascii = isAscii(view) ? view.toString('latin1') : undefined
    this.#isValid = this.#ascii !== undefined || isUtf8(view)
    this.#hasNul = view.includes(0)
  }

  /** Reads one record, or an empty line, or what belongs to a rejected record. False: more bytes are needed. */
  #readNext(isLast: boolean): boolean {
    if (this.#isSkippingLine) return this.#skipLine(isLast)
    const { bytes, end } = this.#pending
    const start = this.#at
    const result = this.#scanner.scan(bytes, start, { end, isLast })
    const limit = start + this.#limits.recordBytesMax
    if (this.#isTooLarge(result, start)) {
      const reason = `the record is larger than ${this.#limits.recordBytesMax} bytes`
      return this.#resync({ code: 'record_too_large', reason, column: undefined, at: start }, { reach: limit, isLast })
    }
    if (result === 'incomplete') return false
    if (result === 'record') return this.#takeRecord(isLast)
    const { count, faultAt } = this.#scanner
    const reason =
      result === 'quote_not_closed'
        ? 'the quote that opens this cell is never closed'
        : 'a closing quote is followed by text instead of a delimiter or the end of the line'
    const fault: Fault = { code: result, reason, column: count + 1, at: faultAt }
    // An open quote reaches to the end of what is there.
    return this.#resync(fault, { reach: result === 'quote_not_closed' ? end : faultAt, isLast })
  }

  /**
   * Decided by the size of the record alone, so that it does not depend on how the bytes arrive. The end of a record that is as large as
   * allowed is known once the two bytes of a line ending are there.
   */
  #isTooLarge(result: ScanResult, start: number): boolean {
    const limit = start + this.#limits.recordBytesMax
    if (result === 'record') return this.#scanner.end > limit
    if (result === 'text_after_quote') return this.#scanner.faultAt > limit
    return this.#pending.end >= limit + 2
  }

  #takeRecord(isLast: boolean): boolean {
    const { count, end, next, hasQuotes } = this.#scanner
    const start = this.#at
    if (end === start) {
      this.#advance(next, 1, 0)
      return true
    }
    if (this.#isHeaderNext) {
      this.#isHeaderNext = false
      this.#advance(next, this.#countLines(start, next), 0)
      return true
    }
    if (count > this.#limits.columnsMax) {
      const reason = `the record has ${count} cells, and at most ${this.#limits.columnsMax} are allowed`
      this.#reject({ code: 'too_many_columns', reason, column: undefined, at: start }, next)
      return true
    }
    if (!this.#hasRightCount()) {
      const reason = `the record has ${count} ${count === 1 ? 'cell' : 'cells'} instead of ${this.#format.columns}`
      const fault: Fault = { code: 'column_count', reason, column: undefined, at: start }
      if (hasQuotes && this.#countLines(start, next) > 1) return this.#resync(fault, { reach: end, isLast })
      this.#reject(fault, next)
      return true
    }
    const fault = this.#findBadText(start, end)
    if (fault !== undefined) {
      this.#reject(fault, next)
      return true
    }
    const line = this.#lines + 1
    const number = this.#records + 1
    this.#out.push({ kind: 'record', line, number, cells: this.#readCells(), otherMembers: NONE })
    this.#advance(next, hasQuotes ? this.#countLines(start, next) : 1, 1)
    return true
  }

  #hasRightCount(): boolean {
    const { columns, missingCells } = this.#format
    const { count, cells, quoted } = this.#scanner
    if (count < columns) return missingCells === 'null'
    if (count > columns + EXCESS_CELLS_MAX) return false
    for (let cell = columns; cell < count; cell++)
      if (cells[2 * cell] !== cells[2 * cell + 1] || quoted[cell] !== 0) return false
    return true
  }

  #findBadText(start: number, end: number): Fault | undefined {
    if (this.#isValid && !this.#hasNul) return undefined
    const { bytes } = this.#pending
    if (!isUtf8(bytes.subarray(start, end))) {
      const cell = this.#findCell((view) => !isUtf8(view))
      const bad = bytes.subarray(cell.start, cell.end)
      const at = cell.start + firstInvalidByte(bad)
      const value = (bytes[at] as number).toString(16).toUpperCase().padStart(2, '0')
      return { code: 'invalid_utf8', reason: `the byte 0x${value} is not UTF-8`, column: cell.column, at }
    }
    const nul = bytes.subarray(start, end).indexOf(0)
    if (nul < 0) return undefined
    const cell = this.#findCell((view) => view.includes(0))
    return {
      code: 'nul_character',
      reason: 'the cell has a NUL character, which PostgreSQL cannot store',
      column: cell.column,
      at: start + nul,
    }
  }

  #findCell(isBad: (view: Buffer) => boolean): { column: number | undefined; start: number; end: number } {
    const { cells, count, end } = this.#scanner
    for (let cell = 0; cell < Math.min(count, cells.length / 2); cell++) {
      const [start, stop] = [cells[2 * cell] as number, cells[2 * cell + 1] as number]
      if (isBad(this.#pending.bytes.subarray(start, stop))) return { column: cell + 1, start, end: stop }
    }
    return { column: undefined, start: this.#at, end }
  }

  #readCells(): Cell[] {
    const { columns, nullText } = this.#format
    const { cells, quoted, count } = this.#scanner
    const result: Cell[] = new Array(columns)
    for (let cell = 0; cell < columns; cell++) {
      if (cell >= count) result[cell] = null
      else {
        const text = this.#textOf(cells[2 * cell] as number, cells[2 * cell + 1] as number)
        const flags = quoted[cell] as number
        if (flags === 0) result[cell] = text === nullText ? null : text
        else result[cell] = flags === 3 ? this.#unescape(text) : text
      }
    }
    return result
  }

  #textOf(start: number, end: number): string {
    return this.#ascii === undefined ? this.#pending.bytes.toString('utf8', start, end) : this.#ascii.slice(start, end)
  }

  #unescape(text: string): string {
    const { quote, escape: style } = this.#format
    if (style === 'double') return text.replaceAll(quote + quote, quote)
    // Other backslashes stay: they may be part of a path.
    return text.replaceAll(/\\(.)/gs, (both, next: string) => (next === quote || next === '\\' ? next : both))
  }

  /**
   * Rejects the lines up to the next one, before `reach`, that is a good record. If there is none, the record ends with the line of `reach`.
   * False: more bytes are needed.
   */
  #resync(fault: Fault, { reach, isLast }: { reach: number; isLast: boolean }): boolean {
    const { end } = this.#pending
    const { recordBytesMax } = this.#limits
    const start = this.#at
    let work = RESYNC_SCANS_MAX * (reach - start + RESCAN_BYTES_MIN)
    let line = this.#lineAfter(start)
    while (line !== undefined && line <= reach && work > 0) {
      if (line >= end && !isLast) return false
      const result = this.#scanner.scan(this.#pending.bytes, line, { end, isLast })
      const isTooLarge = this.#isTooLarge(result, line)
      if (result === 'incomplete' && !isTooLarge) return false
      if (result === 'record' && !isTooLarge && this.#scanner.end > line && this.#hasRightCount()) {
        this.#reject(fault, line)
        return true
      }
      work -= isTooLarge ? recordBytesMax : this.#scannedBytes(result, line)
      line = this.#lineAfter(line)
    }
    const next = this.#lineAfter(Math.max(reach - 1, start))
    if (next !== undefined || isLast) {
      this.#reject(fault, next ?? end)
      return true
    }
    if (end < start + recordBytesMax + 2) return false
    this.#reject(fault, this.#skippableEnd())
    this.#isSkippingLine = true
    return true
  }

  #scannedBytes(result: ScanResult, from: number): number {
    if (result === 'record') return this.#scanner.next - from
    return (result === 'text_after_quote' ? this.#scanner.faultAt : this.#pending.end) - from
  }

  /** The end of the pending bytes, without a CR that may be the first half of a line ending. */
  #skippableEnd(): number {
    const { bytes, end } = this.#pending
    return this.#format.lineEnding === 'cr' && bytes[end - 1] === CR ? end - 1 : end
  }

  /** Start of the line after the one that holds `position`; undefined if its end is not there. */
  #lineAfter(position: number): number | undefined {
    const { bytes, end } = this.#pending
    const isCr = this.#format.lineEnding === 'cr'
    for (let at = position; at < end; at++) {
      const byte = bytes[at]
      if (byte === LF) return at + 1
      if (isCr && byte === CR && at + 1 < end) return bytes[at + 1] === LF ? at + 2 : at + 1
    }
    return undefined
  }

  #skipLine(isLast: boolean): boolean {
    const next = this.#lineAfter(this.#at)
    if (next === undefined && !isLast) {
      this.#advance(this.#skippableEnd(), 0, 0)
      return false
    }
    this.#isSkippingLine = false
    this.#advance(next ?? this.#pending.end, 1, 0)
    return true
  }

  #reject(fault: Fault, next: number): void {
    const start = this.#at
    this.#isHeaderNext = false
    const kept = Math.min(next, start + Math.min(this.#limits.rejectedBytesMax, this.#limits.recordBytesMax))
    this.#out.push({
      kind: 'rejected',
      line: this.#lines + 1,
      number: this.#records + 1,
      code: fault.code,
      reason: fault.reason,
      column: fault.column,
      offset: this.#offset + (fault.at - start),
      bytes: Buffer.from(this.#pending.bytes.subarray(start, kept)),
      isCut: kept < next,
    })
    this.#advance(next, this.#countLines(start, next), 1)
  }

  #advance(next: number, lines: number, records: number): void {
    this.#offset += next - this.#at
    this.#lines += lines
    this.#records += records
    this.#at = next
  }

  /** Lines that end in this range; the last line of the file counts too. */
  #countLines(start: number, end: number): number {
    const { bytes } = this.#pending
    const isCr = this.#format.lineEnding === 'cr'
    let lines = 0
    let at = start
    for (; at < end; at++) {
      if (bytes[at] === LF || (isCr && bytes[at] === CR && bytes[at + 1] !== LF)) lines++
    }
    return lines
  }
}

const NONE: readonly string[] = []

/** Position of the first byte that is not UTF-8. */
function firstInvalidByte(bytes: Buffer): number {
  let [low, high] = [0, bytes.length]
  // A prefix may end inside a character: the next three bytes decide.
  while (low < high) {
    const middle = (low + high) >> 1
    if (isValidStart(bytes, middle + 1)) low = middle + 1
    else high = middle
  }
  return Math.min(low, bytes.length - 1)
}

/** Whether the first `length` bytes are the beginning of valid UTF-8. */
function isValidStart(bytes: Buffer, length: number): boolean {
  for (let cut = 0; cut < 4; cut++)
    if (isUtf8(bytes.subarray(0, Math.max(0, length - cut)))) return isPartial(bytes, length - cut, length)
  return false
}

function isPartial(bytes: Buffer, from: number, to: number): boolean {
  if (from === to) return true
  const lead = bytes[from] as number
  const size = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0
  return to - from < size && bytes.subarray(from + 1, to).every((byte) => byte >= 0x80 && byte < 0xc0)
}
