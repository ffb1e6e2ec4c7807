import { textOf } from '@millrace/rollups'
import { errors } from '../errors.js'
import type { Accumulator, Row } from '../measures/measure.js'
import type { Cell } from '../query/cell-query.js'
import type { FieldPath } from '../query/field-path.js'
import { groupText } from '../query/group-text.js'

interface Group {
  readonly texts: readonly (string | null)[]
  readonly buckets: Map<number, Accumulator>
}

/** Adds up the cells of one query from rollups and raw rows. */
export class CellTable {
  readonly #groupBy: readonly FieldPath[]
  readonly #create: () => Accumulator
  readonly #cellsMax: number
  /** By the group as JSON text. */
  readonly #groups = new Map<string, Group>()
  /** By the group array itself, which is the same object for all rows of a series; saves making the text. */
  readonly #known = new Map<readonly (string | null)[], Group>()
  #size = 0

  constructor(groupBy: readonly FieldPath[], create: () => Accumulator, cellsMax: number) {
    this.#groupBy = groupBy
    this.#create = create
    this.#cellsMax = cellsMax
  }

  addRollup(row: Row, group: readonly (string | null)[]): void {
    this.#at(row.bucket as number, this.#known.get(group) ?? this.#remember(group)).addRollup(row)
  }

  /** The accumulator of a cell. @throws TOO_MANY_GROUPS */
  at(bucket: number, group: readonly (string | null)[]): Accumulator {
    return this.#at(bucket, this.#known.get(group) ?? this.#remember(group))
  }

  /** Adds rows of a raw statement; the columns g0, g1, g2 hold the group. @throws TOO_MANY_GROUPS */
  addRaw(rows: readonly Row[]): void {
    if (rows.length > this.#cellsMax) throw this.#tooMany()
    for (const row of rows) {
      const group = this.#groupBy.map((path, index) => groupText(path, textOf(row[`g${index}`])))
      this.#at(row.bucket as number, this.#find(group)).addRaw(row)
    }
  }

  cells(): Cell[] {
    const cells: Cell[] = []
    for (const { texts, buckets } of this.#groups.values())
      for (const [bucket, accumulator] of buckets) {
        const { value, values } = accumulator.result()
        cells.push({ bucket, group: texts, value, values })
      }
    return cells
  }

  #at(bucket: number, { buckets }: Group): Accumulator {
    let accumulator = buckets.get(bucket)
    if (accumulator === undefined) {
      if (this.#size >= this.#cellsMax) throw this.#tooMany()
      this.#size++
      accumulator = this.#create()
      buckets.set(bucket, accumulator)
    }
    return accumulator
  }

  #remember(texts: readonly (string | null)[]): Group {
    const group = this.#find(texts)
    this.#known.set(texts, group)
    return group
  }

  #find(texts: readonly (string | null)[]): Group {
    const key = JSON.stringify(texts)
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = { texts, buckets: new Map() }
      this.#groups.set(key, group)
    }
    return group
  }

  #tooMany() {
    return errors.TOO_MANY_GROUPS({
      message: `the query has more than ${this.#cellsMax} buckets and groups: filter, group by fewer fields or use a longer interval`,
      details: { cellsMax: this.#cellsMax },
    })
  }
}
