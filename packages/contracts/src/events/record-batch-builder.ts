import {
  BATCH_HEADER_BYTES,
  POSTGRES_EPOCH_MS,
  ROW_FIXED_BYTES,
  SIDE,
  SIDE_BYTES,
} from './record-batch.js'

/** Bytes `start` to `end` (exclusive) of `source`; UTF-8 that PostgreSQL accepts. */
export interface ByteRange {
  source: Uint8Array
  start: number
  end: number
}

/** One event that passed validation. Hash lanes are unsigned 32-bit; properties and context are JSON text or null. */
export interface EventRecord {
  tenantId: number
  messageHashLo: number
  messageHashHi: number
  userHashLo: number
  userHashHi: number
  timestampMs: number
  receivedAtMs: number
  type: number
  flags: number
  messageId: string
  event: string
  userId: string | null
  anonymousId: string | null
  properties: ByteRange | string | null
  context: ByteRange | string | null
}

/** What one batch is made of before it is sealed; one open batch a partition. Not reusable after `seal`. */
export class RecordBatchBuilder {
  records = 0
  #side: Buffer
  #rows: Buffer
  #rowsUsed = 0
  readonly #series = new Map<string, number>()
  readonly #points: number[] = []
  readonly #tallies = new Map<number, { accepted: number; rejected: number }>()
  firstTimeMs = Number.POSITIVE_INFINITY
  lastTimeMs = Number.NEGATIVE_INFINITY

  constructor(expectedBytes = 32 * 1024) {
    this.#side = Buffer.allocUnsafe(SIDE_BYTES * 64)
    this.#rows = Buffer.allocUnsafe(expectedBytes)
  }

  /** Bytes of side table and rows so far. */
  get bytes(): number {
    return this.records * SIDE_BYTES + this.#rowsUsed
  }

  /** Whether anything, records or tallies, is waiting. */
  get isEmpty(): boolean {
    return this.records === 0 && this.#tallies.size === 0
  }

  /** The index of a series in this batch; `key` is the JSON text described in record-batch.ts. At most 65,536 series a batch. */
  series(key: string): number {
    let index = this.#series.get(key)
    if (index === undefined) {
      index = this.#series.size
      this.#series.set(key, index)
    }
    return index
  }

  /** Appends a record and returns its index; `seriesKey` is the series of (tenant, event). */
  add(record: EventRecord, seriesKey: string): number {
    const index = this.records
    const series = this.series(seriesKey)
    this.#writeSide(record, index, series)
    this.#writeRow(record)
    this.records = index + 1
    if (record.timestampMs < this.firstTimeMs) this.firstTimeMs = record.timestampMs
    if (record.timestampMs > this.lastTimeMs) this.lastTimeMs = record.timestampMs
    return index
  }

  /** Counts record `index` in a further series, with a value, or NaN for none. */
  addPoint(index: number, seriesKey: string, value: number): void {
    this.#points.push(index, this.series(seriesKey), value)
  }

  /** Adds to the counts that travel with the batch. `accepted` includes `rejected`. */
  tally(tenantId: number, accepted: number, rejected: number): void {
    const sum = this.#tallies.get(tenantId)
    if (sum === undefined) this.#tallies.set(tenantId, { accepted, rejected })
    else {
      sum.accepted += accepted
      sum.rejected += rejected
    }
  }

  /** The finished payload. */
  seal(): Buffer {
    const keys = [...this.#series.keys()].map((key) => Buffer.from(key, 'utf8'))
    const seriesOffset = BATCH_HEADER_BYTES + this.records * SIDE_BYTES
    const pointsOffset = keys.reduce((sum, key) => sum + 4 + key.length, seriesOffset + 4)
    const talliesOffset = pointsOffset + 8 + (this.#points.length / 3) * 16
    const rowsOffset = talliesOffset + 4 + this.#tallies.size * 12
    const out = Buffer.allocUnsafe(rowsOffset + this.#rowsUsed)
    let at = 0
    for (const word of [this.records, seriesOffset, pointsOffset, talliesOffset, rowsOffset, this.#rowsUsed]) {
      at = out.writeUInt32LE(word, at)
    }
    at += this.#side.copy(out, at, 0, this.records * SIDE_BYTES)
    at = out.writeUInt32LE(keys.length, at)
    for (const key of keys) {
      at = out.writeUInt32LE(key.length, at)
      at += key.copy(out, at)
    }
    at = out.writeUInt32LE(this.#points.length / 3, at)
    at = out.writeUInt32LE(0, at)
    for (let i = 0; i < this.#points.length; i += 3) {
      at = out.writeUInt32LE(this.#points[i] as number, at)
      at = out.writeUInt32LE(this.#points[i + 1] as number, at)
      at = out.writeDoubleLE(this.#points[i + 2] as number, at)
    }
    at = out.writeUInt32LE(this.#tallies.size, at)
    for (const [tenantId, { accepted, rejected }] of this.#tallies) {
      at = out.writeUInt32LE(tenantId, at)
      at = out.writeUInt32LE(accepted, at)
      at = out.writeUInt32LE(rejected, at)
    }
    this.#rows.copy(out, at, 0, this.#rowsUsed)
    return out
  }

  #writeSide(record: EventRecord, index: number, series: number): void {
    const start = index * SIDE_BYTES
    if (start + SIDE_BYTES > this.#side.length) this.#side = grown(this.#side, start, start + SIDE_BYTES)
    const side = this.#side
    side.writeUInt32LE(record.messageHashLo, start + SIDE.messageHashLo)
    side.writeUInt32LE(record.messageHashHi, start + SIDE.messageHashHi)
    side.writeUInt32LE(record.userHashLo, start + SIDE.userHashLo)
    side.writeUInt32LE(record.userHashHi, start + SIDE.userHashHi)
    side.writeDoubleLE(record.timestampMs, start + SIDE.timestampMs)
    side.writeUInt32LE(record.tenantId, start + SIDE.tenantId)
    side.writeUInt32LE(this.#rowsUsed, start + SIDE.rowOffset)
    side.writeUInt16LE(series, start + SIDE.series)
    side[start + SIDE.type] = record.type
    side[start + SIDE.flags] = record.flags
    side.writeUInt32LE(0, start + 36)
  }

  #writeRow(record: EventRecord): void {
    const needed = ROW_FIXED_BYTES + textBytesMax(record)
    if (this.#rowsUsed + needed > this.#rows.length) this.#rows = grown(this.#rows, this.#rowsUsed, this.#rowsUsed + needed)
    const rows = this.#rows
    let at = this.#rowsUsed
    at = rows.writeUInt32BE(8, at)
    at = rows.writeUInt32BE(record.userHashHi, at)
    at = rows.writeUInt32BE(record.userHashLo, at)
    at = writeTimestamp(rows, record.timestampMs, at)
    at = writeTimestamp(rows, record.receivedAtMs, at)
    at = rows.writeUInt32BE(4, at)
    at = rows.writeInt32BE(record.tenantId, at)
    at = rows.writeUInt32BE(2, at)
    at = rows.writeInt16BE(record.type, at)
    at = writeText(rows, record.messageId, at)
    at = writeText(rows, record.event, at)
    at = writeText(rows, record.userId, at)
    at = writeText(rows, record.anonymousId, at)
    at = writeJsonb(rows, record.properties, at)
    this.#rowsUsed = writeJsonb(rows, record.context, at)
  }
}

/** An upper bound of the bytes that texts and JSON take in a row: three bytes a UTF-16 unit, length words and jsonb versions. */
function textBytesMax(record: EventRecord): number {
  const ids = record.messageId.length + record.event.length + (record.userId?.length ?? 0) + (record.anonymousId?.length ?? 0)
  return ids * 3 + jsonBytesMax(record.properties) + jsonBytesMax(record.context) + 6 * 5
}

function jsonBytesMax(json: ByteRange | string | null): number {
  if (json === null) return 0
  return typeof json === 'string' ? json.length * 3 : json.end - json.start
}

function grown(buffer: Buffer, used: number, needed: number): Buffer {
  const next = Buffer.allocUnsafe(Math.max(buffer.length * 2, needed))
  buffer.copy(next, 0, 0, used)
  return next
}

function writeTimestamp(rows: Buffer, ms: number, at: number): number {
  const micros = Math.round((ms - POSTGRES_EPOCH_MS) * 1000)
  const high = Math.floor(micros / 0x1_0000_0000)
  rows.writeUInt32BE(8, at)
  rows.writeInt32BE(high, at + 4)
  return rows.writeUInt32BE(micros - high * 0x1_0000_0000, at + 8)
}

function writeText(rows: Buffer, text: string | null, at: number): number {
  if (text === null) return rows.writeInt32BE(-1, at)
  const bytes = rows.write(text, at + 4, 'utf8')
  rows.writeInt32BE(bytes, at)
  return at + 4 + bytes
}

function writeJsonb(rows: Buffer, json: ByteRange | string | null, at: number): number {
  if (json === null) return rows.writeInt32BE(-1, at)
  rows[at + 4] = 1
  let bytes: number
  if (typeof json === 'string') bytes = rows.write(json, at + 5, 'utf8')
  else {
    bytes = json.end - json.start
    rows.set(json.source.subarray(json.start, json.end), at + 5)
  }
  rows.writeInt32BE(bytes + 1, at)
  return at + 5 + bytes
}
