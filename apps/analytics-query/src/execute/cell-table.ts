import { errors } from '../errors.js'
import type { Accumulator, Row } from '../measures/measure.js'
import type { Cell } from '../query/cell-query.js'
import type { FieldPath } from '../query/field-path.js'
import { scalarText } from '../query/scalar-text.js'

/** The cells of one query, put together from rollups and raw rows. */
export class CellTable {
  readonly #groupBy: readonly FieldPath[]
  readonly #create: () => Accumulator
  readonly #cellsMax: number
  readonly #cells = new Map<string, { bucket: number; group: readonly (string | null)[]; accumulator: Accumulator }>()

  constructor(groupBy: readonly FieldPath[], create: () => Accumulator, cellsMax: number) {
    this.#groupBy = groupBy
    this.#create = create
    this.#cellsMax = cellsMax
  }

  addRollup(row: Row, group: readonly (string | null)[]): void {
    this.#at(row.bucket as number, group).addRollup(row)
  }

  /** Rows of a raw statement; each holds its group as g0, g1, g2. */
  addRaw(rows: readonly Row[]): void {
    if (rows.length > this.#cellsMax) throw this.#tooMany()
    for (const row of rows) {
      const group = this.#groupBy.map((_, index) => scalarText(row[`g${index}`]))
      this.#at(row.bucket as number, group).addRaw(row)
    }
  }

  cells(): Cell[] {
    return Array.from(this.#cells.values(), ({ bucket, group, accumulator }) => ({
      bucket,
      group,
      ...accumulator.result(),
    }))
  }

  #at(bucket: number, group: readonly (string | null)[]): Accumulator {
    const key = `${bucket} ${JSON.stringify(group)}`
    let cell = this.#cells.get(key)
    if (cell === undefined) {
      if (this.#cells.size >= this.#cellsMax) throw this.#tooMany()
      cell = { bucket, group, accumulator: this.#create() }
      this.#cells.set(key, cell)
    }
    return cell.accumulator
  }

  #tooMany() {
    return errors.TOO_MANY_GROUPS({
      message: `the query has more than ${this.#cellsMax} buckets and groups: filter, group by fewer fields or take a longer interval`,
      details: { cellsMax: this.#cellsMax },
    })
  }
}
