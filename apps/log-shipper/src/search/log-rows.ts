import type { readBatch } from '@millrace/column-store'
import { type BatchPlace, NO_ATTRIBUTES } from '../batch/log-batch.js'
import type { batchSchema, chunkSchema } from '../batch/log-schema.js'
import type { LogRow } from './compiled-query.js'

type BatchReader = ReturnType<typeof readBatch<typeof batchSchema.definitions>>
type ChunkReader = ReturnType<typeof readBatch<typeof chunkSchema.definitions>>
/** Decoded columns. */
type Columns = Pick<BatchReader, 'rows' | 'column'>

/** What a batch does not say of each of its lines. */
interface RowPlaces {
  service(row: number): string
  partition(row: number): number
  ordinal(row: number): number
}

/** The lines of a batch in memory or of a chunk, as columns and as rows. */
export class LogRows {
  readonly count: number
  readonly columns: Columns['column']
  readonly places: RowPlaces

  constructor(columns: Columns, places: RowPlaces) {
    this.count = columns.rows
    this.columns = (name) => columns.column(name)
    this.places = places
  }

  /** A line whose fields are decoded when they are read. */
  row(index: number): LogRow {
    return new DecodedRow(this, index)
  }
}

export function rowsOfBatch(batch: BatchReader, { service, partition, firstOrdinal }: BatchPlace): LogRows {
  return new LogRows(batch, {
    service: () => service,
    partition: () => partition,
    ordinal: (row) => firstOrdinal + row,
  })
}

export function rowsOfChunk(chunk: ChunkReader): LogRows {
  return new LogRows(chunk as unknown as Columns, {
    service: (row) => chunk.column('service').value(row) ?? '',
    partition: (row) => chunk.column('partition').value(row) ?? 0,
    ordinal: (row) => chunk.column('ordinal').value(row) ?? 0,
  })
}

class DecodedRow implements LogRow {
  readonly #rows: LogRows
  readonly #index: number

  constructor(rows: LogRows, index: number) {
    this.#rows = rows
    this.#index = index
  }

  get timeMs(): number {
    return this.#rows.columns('time').ms[this.#index] as number
  }
  get timeSubNs(): number {
    return this.#rows.columns('time').subNs[this.#index] as number
  }
  get severity(): number {
    return this.#rows.columns('severity').value(this.#index) ?? 0
  }
  get severityText(): string {
    return this.#rows.columns('severityText').value(this.#index) ?? ''
  }
  get service(): string {
    return this.#rows.places.service(this.#index)
  }
  get host(): string {
    return this.#rows.columns('host').value(this.#index) ?? ''
  }
  get traceId(): string {
    return this.#rows.columns('trace').value(this.#index) ?? ''
  }
  get spanId(): string {
    return this.#rows.columns('span').value(this.#index) ?? ''
  }
  get message(): string {
    return this.#rows.columns('message').view(this.#index)?.toString('utf8') ?? ''
  }
  get attributesJson(): string {
    return this.#rows.columns('attributes').view(this.#index)?.toString('utf8') ?? NO_ATTRIBUTES
  }
  get flags(): number {
    return this.#rows.columns('flags').value(this.#index) ?? 0
  }
  get originalBytes(): number {
    return this.#rows.columns('originalBytes').value(this.#index) ?? 0
  }
  get partition(): number {
    return this.#rows.places.partition(this.#index)
  }
  get ordinal(): number {
    return this.#rows.places.ordinal(this.#index)
  }
}

/** The same line with all fields decoded, which holds on to no columns. */
export function completeLine(row: LogRow): LogRow {
  return {
    timeMs: row.timeMs,
    timeSubNs: row.timeSubNs,
    severity: row.severity,
    severityText: row.severityText,
    service: row.service,
    host: row.host,
    traceId: row.traceId,
    spanId: row.spanId,
    message: row.message,
    attributesJson: row.attributesJson,
    flags: row.flags,
    originalBytes: row.originalBytes,
    partition: row.partition,
    ordinal: row.ordinal,
  }
}
