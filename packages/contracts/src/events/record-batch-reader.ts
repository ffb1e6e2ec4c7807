import { BATCH_HEADER_BYTES, POSTGRES_EPOCH_MS, SIDE_BYTES } from './record-batch.js'

/** Reads a payload that RecordBatchBuilder wrote. The constructor checks the offsets; nothing is copied. */
export class RecordBatchReader {
  readonly records: number
  readonly payload: Buffer
  /** Byte offset of the side entry of record 0; that of record i is SIDE_BYTES * i further. */
  readonly sideOffset = BATCH_HEADER_BYTES
  readonly rowsOffset: number
  readonly rowsBytes: number
  readonly #seriesOffset: number
  readonly #pointsOffset: number
  readonly #talliesOffset: number

  /** @throws RangeError when the payload is not a batch */
  constructor(payload: Buffer) {
    if (payload.length < BATCH_HEADER_BYTES) throw new RangeError('record batch shorter than its header')
    this.payload = payload
    this.records = payload.readUInt32LE(0)
    this.#seriesOffset = payload.readUInt32LE(4)
    this.#pointsOffset = payload.readUInt32LE(8)
    this.#talliesOffset = payload.readUInt32LE(12)
    this.rowsOffset = payload.readUInt32LE(16)
    this.rowsBytes = payload.readUInt32LE(20)
    const ordered =
      BATCH_HEADER_BYTES + this.records * SIDE_BYTES === this.#seriesOffset &&
      this.#seriesOffset < this.#pointsOffset &&
      this.#pointsOffset < this.#talliesOffset &&
      this.#talliesOffset < this.rowsOffset &&
      this.rowsOffset + this.rowsBytes === payload.length
    if (!ordered) throw new RangeError('record batch with inconsistent offsets')
  }

  /** The keys of the series in this batch as JSON texts, in the order of their indexes. */
  seriesKeys(): string[] {
    const count = this.payload.readUInt32LE(this.#seriesOffset)
    const keys: string[] = []
    let at = this.#seriesOffset + 4
    for (let i = 0; i < count; i++) {
      const bytes = this.payload.readUInt32LE(at)
      keys.push(this.payload.toString('utf8', at + 4, at + 4 + bytes))
      at += 4 + bytes
    }
    return keys
  }

  /** Calls `visit` for each point; the value is NaN for a record that is only counted. */
  forEachPoint(visit: (record: number, series: number, value: number) => void): void {
    const count = this.payload.readUInt32LE(this.#pointsOffset)
    let at = this.#pointsOffset + 8
    for (let i = 0; i < count; i++, at += 16) {
      visit(this.payload.readUInt32LE(at), this.payload.readUInt32LE(at + 4), this.payload.readDoubleLE(at + 8))
    }
  }

  /** The counts per tenant that the batch carries for the ledger. */
  tallies(): { tenantId: number; accepted: number; rejected: number }[] {
    const count = this.payload.readUInt32LE(this.#talliesOffset)
    const tallies = []
    let at = this.#talliesOffset + 4
    for (let i = 0; i < count; i++, at += 12) {
      tallies.push({
        tenantId: this.payload.readUInt32LE(at),
        accepted: this.payload.readUInt32LE(at + 4),
        rejected: this.payload.readUInt32LE(at + 8),
      })
    }
    return tallies
  }

  /** Start and end of the row bytes of record `index` in the payload. */
  rowRange(index: number): { start: number; end: number } {
    const side = this.sideOffset + index * SIDE_BYTES
    const start = this.rowsOffset + this.payload.readUInt32LE(side + 28)
    const end =
      index + 1 < this.records
        ? this.rowsOffset + this.payload.readUInt32LE(side + SIDE_BYTES + 28)
        : this.payload.length
    return { start, end }
  }
}

/** The values of a row, for code that is not performance-critical: dead letters, typed events and tests. */
export interface EventRow {
  userHash: bigint
  timestampMs: number
  receivedAtMs: number
  tenantId: number
  type: number
  messageId: string
  event: string
  userId: string | null
  anonymousId: string | null
  /** JSON text. */
  properties: string | null
  context: string | null
}

/** Decodes row bytes `start` to `end` of `payload`. */
export function decodeEventRow(payload: Buffer, start: number): EventRow {
  let at = start
  const field = (): Buffer | null => {
    const bytes = payload.readInt32BE(at)
    at += 4
    if (bytes < 0) return null
    at += bytes
    return payload.subarray(at - bytes, at)
  }
  const required = (): Buffer => field() ?? Buffer.alloc(0)
  const time = (): number => Number(required().readBigInt64BE(0)) / 1000 + POSTGRES_EPOCH_MS
  const text = (): string | null => field()?.toString('utf8') ?? null
  const json = (): string | null => field()?.toString('utf8', 1) ?? null
  return {
    userHash: required().readBigInt64BE(0),
    timestampMs: time(),
    receivedAtMs: time(),
    tenantId: required().readInt32BE(0),
    type: required().readInt16BE(0),
    messageId: text() ?? '',
    event: text() ?? '',
    userId: text(),
    anonymousId: text(),
    properties: json(),
    context: json(),
  }
}
