/**
 * The payload of a frame of the `logs` stream, version 1, before compression. Numbers are little-endian.
 *
 *   header    8 bytes: u32 batches, u32 tallies
 *   tallies   per tenant with refused records: u32 tenant id, u32 refused records
 *   batches   u32 tenant id, u16 bytes of the service, u32 lines, u32 bytes of the batch, the service in UTF-8, the batch (see batch/log-batch.ts)
 *
 * A batch holds lines of one tenant and one service. All lines of a service are in one partition of the stream, in the order in which they were accepted.
 */
const HEADER_BYTES = 8
const TALLY_BYTES = 8
const BATCH_HEADER_BYTES = 14

/** One batch of a frame. */
export interface FrameBatch {
  readonly tenantId: number
  readonly service: string
  readonly lines: number
  /** See batch/log-batch.ts. */
  readonly bytes: Buffer
}

/** A batch before it is sealed, with the earliest and the latest time of its lines, ms since 1970. */
export interface BatchToAppend extends FrameBatch {
  readonly firstTimeMs: number
  readonly lastTimeMs: number
}

/** Collects batches until the producer seals them as a frame. */
export class LogFrameBuilder {
  records = 0
  bytes = HEADER_BYTES
  firstTimeMs = Number.POSITIVE_INFINITY
  lastTimeMs = Number.NEGATIVE_INFINITY
  readonly #batches: { readonly batch: FrameBatch; readonly service: Buffer }[] = []
  readonly #refused = new Map<number, number>()

  get isEmpty(): boolean {
    return this.#batches.length === 0 && this.#refused.size === 0
  }

  add(batch: BatchToAppend): void {
    const service = Buffer.from(batch.service)
    this.#batches.push({ batch, service })
    this.records += batch.lines
    this.bytes += BATCH_HEADER_BYTES + service.length + batch.bytes.length
    this.firstTimeMs = Math.min(this.firstTimeMs, batch.firstTimeMs)
    this.lastTimeMs = Math.max(this.lastTimeMs, batch.lastTimeMs)
  }

  /** Counts records that were refused one by one, for the ledger. */
  tally(tenantId: number, refused: number): void {
    if (!this.#refused.has(tenantId)) this.bytes += TALLY_BYTES
    this.#refused.set(tenantId, (this.#refused.get(tenantId) ?? 0) + refused)
  }

  seal(into: Buffer): Buffer {
    const out = into.length >= this.bytes ? into.subarray(0, this.bytes) : Buffer.allocUnsafe(this.bytes)
    out.writeUInt32LE(this.#batches.length, 0)
    out.writeUInt32LE(this.#refused.size, 4)
    let at = HEADER_BYTES
    for (const [tenantId, refused] of this.#refused) {
      out.writeUInt32LE(tenantId, at)
      out.writeUInt32LE(refused, at + 4)
      at += TALLY_BYTES
    }
    for (const { batch, service } of this.#batches) {
      out.writeUInt32LE(batch.tenantId, at)
      out.writeUInt16LE(service.length, at + 4)
      out.writeUInt32LE(batch.lines, at + 6)
      out.writeUInt32LE(batch.bytes.length, at + 10)
      at += BATCH_HEADER_BYTES
      at += service.copy(out, at)
      at += batch.bytes.copy(out, at)
    }
    return out
  }
}

/** The content of a frame. */
export interface LogFrame {
  /** In the order of their lines. */
  readonly batches: readonly FrameBatch[]
  /** Refused records by tenant. */
  readonly refused: ReadonlyMap<number, number>
}

/**
 * Reads the payload of a frame. The bytes of the batches are views of it.
 * @throws RangeError when it is not a payload of this format, or when its lines are not as many as `records`
 */
export function readLogFrame(payload: Buffer, records: number): LogFrame {
  const batches: FrameBatch[] = []
  const refused = new Map<number, number>()
  const batchCount = payload.readUInt32LE(0)
  const tallies = payload.readUInt32LE(4)
  let at = HEADER_BYTES
  for (let i = 0; i < tallies; i++, at += TALLY_BYTES)
    refused.set(payload.readUInt32LE(at), payload.readUInt32LE(at + 4))
  let lines = 0
  for (let i = 0; i < batchCount; i++) {
    const serviceEnd = at + BATCH_HEADER_BYTES + payload.readUInt16LE(at + 4)
    const end = serviceEnd + payload.readUInt32LE(at + 10)
    if (end > payload.length) throw new RangeError('a batch of the frame ends beyond its payload')
    const batch = {
      tenantId: payload.readUInt32LE(at),
      service: payload.toString('utf8', at + BATCH_HEADER_BYTES, serviceEnd),
      lines: payload.readUInt32LE(at + 6),
      bytes: payload.subarray(serviceEnd, end),
    }
    batches.push(batch)
    lines += batch.lines
    at = end
  }
  if (at !== payload.length) throw new RangeError('the payload of the frame does not end with its last batch')
  if (lines !== records) throw new RangeError(`the frame has ${lines} lines, but ${records} by its header`)
  return { batches, refused }
}
