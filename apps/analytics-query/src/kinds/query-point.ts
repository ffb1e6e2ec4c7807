import type { QueryPoint } from '@millrace/contracts'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { FieldPath } from '../query/field-path.js'
import { isoTime } from '../query/iso-time.js'

/** The values of a group by path, without fields that the events do not have. Empty for a query without groups. */
export function toGroup(groupBy: readonly FieldPath[], texts: readonly (string | null)[]): Pick<QueryPoint, 'group'> {
  if (groupBy.length === 0) return {}
  const group: Record<string, string> = {}
  groupBy.forEach((path, index) => {
    const text = texts[index]
    if (text !== null && text !== undefined) group[path.name] = text
  })
  return { group }
}

/** The point of a cell. `time` is the start of its bucket, absent without an interval. */
export function toPoint(cell: Cell, query: CellQuery): QueryPoint {
  const start = query.interval === null ? undefined : query.bucketStarts[cell.bucket]
  const time = start === undefined ? undefined : isoTime(start)
  const hasValues = Object.keys(cell.values).length > 0
  // Most points of long answers have this form, so it is worth a fast path.
  if (time !== undefined && query.groupBy.length === 0 && !hasValues) return { time, value: cell.value }
  return {
    ...(time !== undefined && { time }),
    ...toGroup(query.groupBy, cell.group),
    value: cell.value,
    ...(hasValues && { values: cell.values }),
  }
}
