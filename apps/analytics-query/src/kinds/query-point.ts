import type { QueryPoint } from '@millrace/contracts'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { FieldPath } from '../query/field-path.js'
import { isoTime } from '../query/iso-time.js'

/** A group by its paths; an absent field is left out. Nothing for a query without groups. */
export function toGroup(groupBy: readonly FieldPath[], texts: readonly (string | null)[]): Pick<QueryPoint, 'group'> {
  if (groupBy.length === 0) return {}
  const group: Record<string, string> = {}
  groupBy.forEach((path, index) => {
    const text = texts[index]
    if (text !== null && text !== undefined) group[path.name] = text
  })
  return { group }
}

/** A cell as it goes out. The time is the bucket's start and absent without an interval. */
export function toPoint(cell: Cell, query: CellQuery): QueryPoint {
  const start = query.interval === null ? undefined : query.bucketStarts[cell.bucket]
  const time = start === undefined ? undefined : isoTime(start)
  const hasValues = Object.keys(cell.values).length > 0
  // Most points of a long answer are such ones.
  if (time !== undefined && query.groupBy.length === 0 && !hasValues) return { time, value: cell.value }
  return {
    ...(time !== undefined && { time }),
    ...toGroup(query.groupBy, cell.group),
    value: cell.value,
    ...(hasValues && { values: cell.values }),
  }
}
