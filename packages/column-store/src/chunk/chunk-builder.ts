import { columnStoreErrors } from '../column-store-errors.js'
import type { ColumnReader } from '../columns/column-reader.js'
import { type Appender, type Column, createAppender } from '../columns/columns.js'
import type { TimeColumn } from '../columns/time-column.js'
import type { ColumnDefinitions, Schema } from '../schema.js'
import { addTokens } from '../tokens/add-tokens.js'
import { TokenSet } from '../tokens/token-set.js'
import { type ChunkParts, encodeChunk, type SegmentCodecs } from './encode-chunk.js'
import { openChunk } from './open-chunk.js'
import { proveColumn } from './prove-column.js'
import { orderByTime, type RowOrder } from './row-order.js'

export interface ChunkBuilderOptions<D extends ColumnDefinitions> {
  /** The column of times by which rows are sorted; rows of equal time keep their order. It must have a value in each row. Default: rows are not sorted. */
  readonly sortBy?: keyof D & string
  /** Columns whose words and ids go into the token filter. Default: none. */
  readonly tokensOf?: readonly (keyof D & string)[]
  /** A chunk ends with the row that brings it to this many different tokens, so that the filters of a group are equally full. Default 24,000. */
  readonly tokensMax?: number
  /** Default 8,192. */
  readonly rowsMax?: number
  /** A chunk ends with the row that brings it to about this many bytes. Default 32 MiB. */
  readonly bytesMax?: number
  /** Codecs of segments by name. Default: the smallest one that this process has. */
  readonly codecs?: SegmentCodecs
  /**
   * Which part of the chunks is decoded again and compared with the rows before it is handed out: 1 all of them, 0.01 every hundredth, beginning with
   * the first. Default 1.
   */
  readonly provenShare?: number
}

/** A chunk and the hashes of its tokens. */
export interface Chunk extends ChunkParts {
  readonly tokens: Uint32Array
}

const DEFAULTS = { tokensMax: 24_000, rowsMax: 8_192, bytesMax: 32 * 1024 * 1024, provenShare: 1 }

/** Makes chunks of batches, and larger chunks of smaller ones. */
export function createChunkBuilder<D extends ColumnDefinitions>(
  schema: Schema<D>,
  options: ChunkBuilderOptions<D> = {},
): ChunkBuilder<D> {
  return new ChunkBuilder(schema, options)
}

export class ChunkBuilder<D extends ColumnDefinitions> {
  readonly #schema: Schema<D>
  readonly #options: ChunkBuilderOptions<D> & typeof DEFAULTS
  readonly #appenders: readonly Appender[]
  readonly #tokens = new TokenSet()
  #sources: ColumnReader<D>[] = []
  #rows = 0
  #unproven = 0

  constructor(schema: Schema<D>, options: ChunkBuilderOptions<D>) {
    this.#schema = schema
    this.#options = { ...DEFAULTS, ...options }
    this.#appenders = schema.columns.map(createAppender)
    const sorted = schema.columns.find(({ name }) => name === options.sortBy)
    if (options.sortBy !== undefined && (sorted?.type !== 'time' || sorted.optional))
      throw columnStoreErrors.COLUMN_SCHEMA_INVALID({
        message: 'rows are sorted by a column of times that is not optional',
      })
  }

  /** Rows that were added and are not in a chunk yet. */
  get rows(): number {
    return this.#rows
  }

  /** Adds all rows of a batch or a chunk. Its bytes must not change until `finish`. */
  add(source: ColumnReader<D>): void {
    this.#sources.push(source)
    this.#rows += source.rows
  }

  /**
   * Returns chunks of all rows that were added, in their order, and forgets the rows.
   * @throws COLUMN_CHUNK_UNPROVEN when a chunk does not decode to its rows; nothing was stored then, and the rows can still be written in another way
   */
  finish(): Chunk[] {
    const sources = this.#sources
    this.#sources = []
    this.#rows = 0
    return [...this.#cut(sources, this.#orderOf(sources))]
  }

  #orderOf(sources: readonly ColumnReader<D>[]): RowOrder {
    const { sortBy } = this.#options
    if (sortBy !== undefined)
      return orderByTime(sources.map((source) => source.column(sortBy) as unknown as TimeColumn))
    return {
      sources: Uint32Array.from(sources.flatMap(({ rows }, index) => Array<number>(rows).fill(index))),
      rows: Uint32Array.from(sources.flatMap(({ rows }) => Array.from({ length: rows }, (_, row) => row))),
    }
  }

  *#cut(sources: readonly ColumnReader<D>[], order: RowOrder): Generator<Chunk> {
    const columns = sources.map((source) => this.#schema.columns.map(({ name }) => source.column(name) as Column))
    const isCounted = this.#schema.columns.map(({ name }) => this.#options.tokensOf?.includes(name) ?? false)
    for (let index = 0; index < order.rows.length; index++) {
      const row = order.rows[index] as number
      const from = columns[order.sources[index] as number] as readonly Column[]
      for (let column = 0; column < from.length; column++) {
        const appender = this.#appenders[column] as Appender
        appender.appendFrom(from[column] as Column, row)
        if (isCounted[column]) addTokens(this.#tokens, from[column] as Column, row)
      }
      if (this.#isFull(index)) yield this.#finishChunk()
    }
    if ((this.#appenders[0]?.rows ?? 0) > 0) yield this.#finishChunk()
  }

  #isFull(index: number): boolean {
    const { tokensMax, rowsMax, bytesMax } = this.#options
    if (this.#tokens.size >= tokensMax || (this.#appenders[0] as Appender).rows >= rowsMax) return true
    // Adding up the bytes of all columns for each row would cost more than it is worth.
    return index % 16 === 0 && this.#appenders.reduce((sum, { bytes }) => sum + bytes, 0) >= bytesMax
  }

  #finishChunk(): Chunk {
    try {
      const parts = encodeChunk(this.#appenders, this.#options.codecs ?? {})
      this.#unproven += this.#options.provenShare
      if (this.#unproven >= 1) this.#prove(parts)
      return { ...parts, tokens: this.#tokens.toArray() }
    } finally {
      for (const appender of this.#appenders) appender.clear()
      this.#tokens.clear()
    }
  }

  #prove(parts: ChunkParts): void {
    this.#unproven = 0
    const segments = Object.fromEntries(parts.segments.map(({ name, bytes }) => [name, bytes]))
    const decoded = openChunk(this.#schema, parts.head, segments)
    for (const appender of this.#appenders)
      proveColumn(appender, decoded.column(appender.column.name) as Column, parts.rows)
  }
}
