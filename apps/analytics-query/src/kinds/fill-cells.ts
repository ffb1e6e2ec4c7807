import { errors } from '../errors.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { Fill } from './parse-compare.js'

type Empty = Pick<Cell, 'value' | 'values'>

export interface FillRules {
  readonly fill: Fill | null
  /** The value of an empty bucket when the request has neither groups nor `fill`. */
  readonly empty: Empty
  readonly cellsMax: number
}

/**
 * Adds the buckets without events. With `fill` it adds them to every group, otherwise only to queries without groups.
 * @throws TOO_MANY_GROUPS
 */
export function fillCells(cells: readonly Cell[], query: CellQuery, { fill, empty, cellsMax }: FillRules): Cell[] {
  if (fill === 'none' || (fill === null && query.groupBy.length > 0)) return [...cells]
  const filling: Empty = fill === null ? empty : { ...empty, value: fill === 'zero' ? 0 : null }
  const groups = byGroup(cells)
  if (query.groupBy.length === 0 && groups.size === 0) groups.set('[]', { group: [], cells: [] })
  if (groups.size * query.bucketStarts.length > cellsMax) {
    throw errors.TOO_MANY_GROUPS({
      message: `the query has more than ${cellsMax} buckets and groups once empty buckets are filled: add filters or use a longer interval`,
      details: { cellsMax },
    })
  }
  return [...groups.values()].flatMap(({ group, cells: known }) =>
    query.bucketStarts.map((_, bucket) => known[bucket] ?? { bucket, group, ...filling }),
  )
}

interface GroupCells {
  readonly group: Cell['group']
  /** By the index of their bucket. */
  readonly cells: Cell[]
}

/** Most cells of a group follow each other and share one array of group values, so the comparison by identity is fast. */
function byGroup(cells: readonly Cell[]): Map<string, GroupCells> {
  const groups = new Map<string, GroupCells>()
  let last: GroupCells | undefined
  for (const cell of cells) {
    if (last?.group !== cell.group) {
      const key = JSON.stringify(cell.group)
      last = groups.get(key) ?? { group: cell.group, cells: [] }
      groups.set(key, last)
    }
    last.cells[cell.bucket] = cell
  }
  return groups
}

/** A text that is equal for cells of the same bucket and group. */
export function keyOfCell({ bucket, group }: Pick<Cell, 'bucket' | 'group'>): string {
  return `${bucket} ${JSON.stringify(group)}`
}
