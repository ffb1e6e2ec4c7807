import type { QueryPoint } from '@millrace/contracts'
import type { Cell, CellQuery } from '../query/cell-query.js'

/** A cell as it goes out; a group's absent field is left out of `group`. The time is the bucket's start and absent without an interval. */
export function toPoint(cell: Cell, query: CellQuery): QueryPoint {
  const group: Record<string, string> = {}
  query.groupBy.forEach((path, index) => {
    const text = cell.group[index]
    if (text !== null && text !== undefined) group[path.name] = text
  })
  const start = query.interval === null ? undefined : query.bucketStarts[cell.bucket]
  return {
    ...(start !== undefined && { time: new Date(start).toISOString() }),
    ...(query.groupBy.length > 0 && { group }),
    value: cell.value,
    ...(Object.keys(cell.values).length > 0 && { values: cell.values }),
  }
}

/** Orders groups by code units, an absent field before everything. */
export function compareGroups(a: readonly (string | null)[], b: readonly (string | null)[]): number {
  for (let i = 0; i < a.length; i++) {
    const [left, right] = [a[i] ?? null, b[i] ?? null]
    if (left === right) continue
    if (left === null) return -1
    if (right === null) return 1
    return left < right ? -1 : 1
  }
  return 0
}

/** The part of a cursor that every kind has: the range of the first page. */
export interface RangeCursor {
  readonly fromMs: number
  readonly toMs: number
}

export function isRangeCursor(content: unknown): content is RangeCursor & Record<string, unknown> {
  return (
    typeof content === 'object' &&
    content !== null &&
    'fromMs' in content &&
    'toMs' in content &&
    Number.isSafeInteger(content.fromMs) &&
    Number.isSafeInteger(content.toMs) &&
    (content.fromMs as number) < (content.toMs as number)
  )
}

export function isGroup(value: unknown): value is (string | null)[] {
  return Array.isArray(value) && value.every((item) => item === null || typeof item === 'string')
}
