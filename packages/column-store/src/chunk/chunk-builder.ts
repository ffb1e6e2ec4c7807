import { columnStoreErrors } from '../column-store-errors.js'
import type { ColumnReader } from '../columns/column-reader.js'
import { type Appender, type Column, createAppender } from '../columns/columns.js'
import type { RowOrder } from '../columns/row-order.js'
import { TextAppender, type TextColumn } from '../columns/text-column.js'
import type { TimeColumn } from '../columns/time-column.js'
import type { ColumnDefinitions, Schema, SchemaColumn } from '../schema.js'
import { addTokens } from '../tokens/add-tokens.js'
import { TokenSet } from '../tokens/token-set.js'
import { type ChunkParts, encodeChunk, type SegmentCodecs } from './encode-chunk.js'
import { openChunk } from './open-chunk.js'
import { orderByTime } from './order-by-time.js'
import { proveColumn } from './prove-column.js'

export interface ChunkBuilderOptions<D extends ColumnDefinitions> {
  /** The column of times by which rows are sorted; rows of equal time keep their order. It must have a value in each row. Default: rows are not sorted. */
  readonly sortBy?: keyof D & string
  /** Columns whose words and ids go into the token filter. Default: none. */
  readonly tokensOf?: readonly (keyof D & string)[]
  /** A chunk ends with the row that brings it to this many different tokens, so that the filters of a group are equally full. Default 24,000. */
  readonly tokensMax?: number
  /** Default 8,192. */
  readonly rowsMax?: number
  /** A chunk ends with the row that brings its texts to this many bytes. Default 32 MiB. */
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

/** Rows as columns. */
export type RowSource<D extends ColumnDefinitions> = Pick<ColumnReader<D>, 'rows' | 'column'>

interface Source<D extends ColumnDefinitions> {
  readonly source: RowSource<D>
  /** 1 for each row that was asked for; undefined: all of them. */
  readonly wanted: Uint8Array | undefined
}

/** Leaves out the rows that were not asked for. */
function wantedOf(order: RowOrder, all: readonly Source<ColumnDefinitions>[]): RowOrder {
  if (all.every(({ wanted }) => wanted === undefined)) return order
  const isWanted = (_: number, index: number) =>
    all[order.sources[index] as number]?.wanted?.[order.rows[index] as number] !== 0
  return { sources: order.sources.filter(isWanted), rows: order.rows.filter(isWanted) }
}

export class ChunkBuilder<D extends ColumnDefinitions> {
  readonly #schema: Schema<D>
  readonly #options: ChunkBuilderOptions<D> & typeof DEFAULTS
  readonly #appenders: readonly Appender[]
  readonly #tokens = new TokenSet()
  #sources: Source<D>[] = []
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

  /**
   * Adds the rows of a batch or a chunk, or only those for which `isWanted` holds. Its bytes must not change until `finish`.
   */
  add(source: RowSource<D>, isWanted?: (row: number) => boolean): void {
    const wanted =
      isWanted === undefined ? undefined : Uint8Array.from({ length: source.rows }, (_, row) => +isWanted(row))
    this.#sources.push({ source, wanted })
    this.#rows += wanted === undefined ? source.rows : wanted.reduce((sum, one) => sum + one, 0)
  }

  /**
   * Returns chunks of all rows that were added, in their order, and forgets the rows.
   * @throws COLUMN_CHUNK_UNPROVEN when a chunk does not decode to its rows; nothing was stored then, and the rows can still be written in another way
   */
  finish(): Chunk[] {
    const sources = this.#sources
    this.#sources = []
    this.#rows = 0
    const readers = sources.map(({ source }) => source)
    return [...this.#cut(readers, wantedOf(this.#orderOf(readers), sources))]
  }

  #orderOf(sources: readonly RowSource<D>[]): RowOrder {
    const { sortBy } = this.#options
    if (sortBy !== undefined)
      return orderByTime(sources.map((source) => source.column(sortBy) as unknown as TimeColumn))
    return {
      sources: Uint32Array.from(sources.flatMap(({ rows }, index) => Array<number>(rows).fill(index))),
      rows: Uint32Array.from(sources.flatMap(({ rows }) => Array.from({ length: rows }, (_, row) => row))),
    }
  }

  *#cut(sources: readonly RowSource<D>[], order: RowOrder): Generator<Chunk> {
    const { tokensOf, tokensMax, rowsMax, bytesMax } = this.#options
    const { columns } = this.#schema
    const decoded = columns.map(({ name }) => sources.map((source): Column => source.column(name)))
    const counted = decoded.filter((_, index) => tokensOf?.includes((columns[index] as SchemaColumn).name))
    const texts = decoded.filter((_, index) => this.#appenders[index] instanceof TextAppender) as TextColumn[][]
    let start = 0
    let bytes = 0
    for (let index = 0; index < order.rows.length; index++) {
      const source = order.sources[index] as number
      const row = order.rows[index] as number
      for (const ofSource of counted) addTokens(this.#tokens, ofSource[source] as Column, row)
      for (const ofSource of texts) bytes += (ofSource[source] as TextColumn).lengthOf(row)
      if (this.#tokens.size < tokensMax && index + 1 - start < rowsMax && bytes < bytesMax) continue
      yield this.#makeChunk(decoded, order, { start, end: index + 1 })
      start = index + 1
      bytes = 0
    }
    if (start < order.rows.length) yield this.#makeChunk(decoded, order, { start, end: order.rows.length })
  }

  #makeChunk(decoded: readonly (readonly Column[])[], order: RowOrder, range: { start: number; end: number }): Chunk {
    try {
      // One column after the other: each loop runs the code of one type.
      for (const [index, appender] of this.#appenders.entries())
        appender.appendRows(decoded[index] as readonly Column[], order, range)
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
