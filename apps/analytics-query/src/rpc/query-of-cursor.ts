import type { RunQueryRequest } from '@millrace/contracts'

type NotAsked = 'limit' | 'cursor' | 'explain' | 'fresh' | 'minWatermark' | 'waitMs'

/** A request whose answer comes in pages. */
export type PagedRequest = Pick<RunQueryRequest, 'limit' | 'cursor'> & Partial<Pick<RunQueryRequest, NotAsked>>

/**
 * What a cursor is bound to: the request without the size and position of the page, and without how fresh the answer
 * has to be.
 */
export function queryOfCursor(request: PagedRequest): object {
  const {
    limit: _limit,
    cursor: _cursor,
    explain: _explain,
    fresh: _fresh,
    minWatermark: _minWatermark,
    waitMs: _waitMs,
    ...query
  } = request
  return query
}
