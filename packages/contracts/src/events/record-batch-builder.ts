import { type Growing, giveBack, takeGrowing } from './growing-bytes.js'
import { BATCH_HEADER_BYTES, POSTGRES_EPOCH_MS, ROW_FIXED_BYTES, SIDE, SIDE_BYTES } from './record-batch.js'
import { copyBytes, type EventRecord, FIRST_JSON, type RecordSlices, SLICES, toSlices } from './record-slices.js'

/** The side table refers to a series by a 16-bit number. */
const SERIES_MAX = 65_536

/** u32 record, u32 series, f64 value. */
const POINT_BYTES = 16

/** Collects the records of one batch until it is sealed. Each partition has one open batch. A builder cannot be used after `seal`. */
export class RecordBatchBuilder {
  records = 0
  #side: Growing
  #rows: Growing
  #rowsUsed = 0
  #seriesBytes = 0
  readonly #series = new Map<string, number>()
  /** In the form of the payload. */
  #points: Growing
  #pointsUsed = 0
  readonly #tallies = new Map<number, { accepted: number; rejected: number }>()
  firstTimeMs = Number.POSITIVE_INFINITY
  lastTimeMs = Number.NEGATIVE_INFINITY

  constructor() {
    this.#side = takeGrowing()
    this.#rows = takeGrowing()
    this.#points = takeGrowing()
  }

  /** Approximate bytes of side table, series, points and rows so far. */
  get bytes(): number {
    return this.records * SIDE_BYTES + this.#rowsUsed + this.#seriesBytes + this.#pointsUsed
  }

  /** Whether the batch has neither records nor tallies. */
  get isEmpty(): boolean {
    return this.records === 0 && this.#tallies.size === 0
  }

  /**
   * The index of a series in this batch; `key` is the JSON text described in record-batch.ts. A batch has at most SERIES_MAX series; since a key
   * takes at least 22 bytes, a batch that is sealed at 1 MiB has fewer.
   */
  series(key: string): number {
    let index = this.#series.get(key)
    if (index === undefined) {
      index = this.#series.size
      if (index === SERIES_MAX) throw new RangeError('too many series in one batch')
      this.#series.set(key, index)
      this.#seriesBytes += 4 + key.length
    }
    return index
  }

  /** Appends a record and returns its index; `seriesKey` is the series of (tenant, event). */
  add(record: EventRecord, seriesKey: string): number {
    return this.addSlices(toSlices(record), seriesKey)
  }

  /** As `append`, for a record whose texts are already bytes. */
  addSlices(record: RecordSlices, seriesKey: string): number {
    const index = this.records
    this.#writeSide(record, index, this.series(seriesKey))
    this.#writeRow(record)
    this.records = index + 1
    if (record.timestampMs < this.firstTimeMs) this.firstTimeMs = record.timestampMs
    if (record.timestampMs > this.lastTimeMs) this.lastTimeMs = record.timestampMs
    return index
  }

  /** Counts record `index` in another series, with a value, or NaN for a record without a value. */
  addPoint(index: number, seriesKey: string, value: number): void {
    const points = this.#points
    const at = this.#pointsUsed
    points.reserve(at, POINT_BYTES)
    points.view.setUint32(at, index, true)
    points.view.setUint32(at + 4, this.series(seriesKey), true)
    points.view.setFloat64(at + 8, value, true)
    this.#pointsUsed = at + POINT_BYTES
  }

  /** Adds to the counts per tenant that the batch carries for the ledger. `accepted` includes `rejected`. */
  tally(tenantId: number, accepted: number, rejected: number): void {
    const sum = this.#tallies.get(tenantId)
    if (sum === undefined) this.#tallies.set(tenantId, { accepted, rejected })
    else {
      sum.accepted += accepted
      sum.rejected += rejected
    }
  }

  /** Finishes the batch and returns its payload, which is in the first bytes of `into` when it fits there. */
  seal(into?: Buffer): Buffer {
    const keys = Buffer.from([...this.#series.keys()].map((key) => `\0\0\0\0${key}`).join(''), 'utf8')
    const seriesOffset = BATCH_HEADER_BYTES + this.records * SIDE_BYTES
    const pointsOffset = seriesOffset + 4 + keys.length
    const talliesOffset = pointsOffset + 8 + this.#pointsUsed
    const rowsOffset = talliesOffset + 4 + this.#tallies.size * 12
    const length = rowsOffset + this.#rowsUsed
    const out = into !== undefined && into.length >= length ? into.subarray(0, length) : Buffer.allocUnsafe(length)
    const view = new DataView(out.buffer, out.byteOffset, out.length)
    const header = [this.records, seriesOffset, pointsOffset, talliesOffset, rowsOffset, this.#rowsUsed]
    for (const [i, word] of header.entries()) view.setUint32(i * 4, word, true)
    out.set(this.#side.bytes.subarray(0, this.records * SIDE_BYTES), BATCH_HEADER_BYTES)
    this.#sealSeries(out, view, seriesOffset, keys)
    view.setUint32(pointsOffset, this.#pointsUsed / POINT_BYTES, true)
    view.setUint32(pointsOffset + 4, 0, true)
    out.set(this.#points.bytes.subarray(0, this.#pointsUsed), pointsOffset + 8)
    this.#sealTallies(view, talliesOffset)
    out.set(this.#rows.bytes.subarray(0, this.#rowsUsed), rowsOffset)
    giveBack(this.#side)
    giveBack(this.#rows)
    giveBack(this.#points)
    return out
  }

  /** `keys` has four free bytes before each key, for its length. A key is JSON and has no NUL, so the next NUL belongs to the next key. */
  #sealSeries(out: Buffer, view: DataView, at: number, keys: Buffer): void {
    view.setUint32(at, this.#series.size, true)
    out.set(keys, at + 4)
    for (let start = 0; start < keys.length; ) {
      const next = keys.indexOf(0, start + 4)
      const end = next < 0 ? keys.length : next
      view.setUint32(at + 4 + start, end - start - 4, true)
      start = end
    }
  }

  #sealTallies(view: DataView, start: number): void {
    view.setUint32(start, this.#tallies.size, true)
    let at = start + 4
    for (const [tenantId, { accepted, rejected }] of this.#tallies) {
      view.setUint32(at, tenantId, true)
      view.setUint32(at + 4, accepted, true)
      view.setUint32(at + 8, rejected, true)
      at += 12
    }
  }

  #writeSide(record: RecordSlices, index: number, series: number): void {
    const start = index * SIDE_BYTES
    this.#side.reserve(start, SIDE_BYTES)
    const { view } = this.#side
    view.setUint32(start + SIDE.messageHashLo, record.messageHashLo, true)
    view.setUint32(start + SIDE.messageHashHi, record.messageHashHi, true)
    view.setUint32(start + SIDE.userHashLo, record.userHashLo, true)
    view.setUint32(start + SIDE.userHashHi, record.userHashHi, true)
    view.setFloat64(start + SIDE.timestampMs, record.timestampMs, true)
    view.setUint32(start + SIDE.tenantId, record.tenantId, true)
    view.setUint32(start + SIDE.rowOffset, this.#rowsUsed, true)
    view.setUint16(start + SIDE.series, series, true)
    view.setUint8(start + SIDE.type, record.type)
    view.setUint8(start + SIDE.flags, record.flags)
    view.setUint32(start + 36, 0, true)
  }

  #writeRow(record: RecordSlices): void {
    const { ranges } = record
    let needed = ROW_FIXED_BYTES + SLICES * 5
    for (let i = 0; i < ranges.length; i += 2) needed += (ranges[i + 1] as number) - (ranges[i] as number)
    const rows = this.#rows
    rows.reserve(this.#rowsUsed, needed)
    const { view } = rows
    let at = this.#rowsUsed
    view.setUint32(at, 8)
    view.setUint32(at + 4, record.userHashHi)
    view.setUint32(at + 8, record.userHashLo)
    writeTimestamp(view, record.timestampMs, at + 12)
    writeTimestamp(view, record.receivedAtMs, at + 24)
    view.setUint32(at + 36, 4)
    view.setUint32(at + 40, record.tenantId)
    view.setUint32(at + 44, 2)
    view.setUint16(at + 48, record.type)
    at += ROW_FIXED_BYTES
    for (let i = 0; i < SLICES; i++) {
      const start = ranges[2 * i] as number
      if (start < 0) {
        view.setInt32(at, -1)
        at += 4
        continue
      }
      const length = (ranges[2 * i + 1] as number) - start
      const isJson = i >= FIRST_JSON
      view.setInt32(at, isJson ? length + 1 : length)
      at += 4
      if (isJson) view.setUint8(at++, 1)
      copyBytes(record, start, length, rows, at)
      at += length
    }
    this.#rowsUsed = at
  }
}

function writeTimestamp(view: DataView, ms: number, at: number): void {
  const micros = Math.round((ms - POSTGRES_EPOCH_MS) * 1000)
  const high = Math.floor(micros / 0x1_0000_0000)
  view.setUint32(at, 8)
  view.setInt32(at + 4, high)
  view.setUint32(at + 8, micros - high * 0x1_0000_0000)
}
