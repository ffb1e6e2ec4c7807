import { createHash } from 'node:crypto'
import type { RunQueryRequest } from '@millrace/contracts'
import { errors } from '../errors.js'

type Unmarked = 'limit' | 'cursor' | 'explain' | 'fresh' | 'minWatermark' | 'waitMs'

/** A request whose answer comes in pages: everything in it is part of the question, but for these fields. */
export type Paged = Pick<RunQueryRequest, 'limit' | 'cursor'> & Partial<Pick<RunQueryRequest, Unmarked>>

/** What two pages of one answer have in common: all that was asked but the size of a page, the place in it and how fresh it has to be. */
function markOf(request: Paged): string {
  const {
    limit: _limit,
    cursor: _cursor,
    explain: _explain,
    fresh: _fresh,
    minWatermark: _minWatermark,
    waitMs: _waitMs,
    ...question
  } = request
  return createHash('sha256').update(JSON.stringify(question, plain)).digest('base64url').slice(0, 11)
}

/** A cursor as it goes out: it says which question it belongs to. Empty stays empty, and costs nothing. */
export function sealCursor(cursor: string, request: Paged): string {
  return cursor === '' ? '' : `${markOf(request)}.${cursor}`
}

/** @throws INVALID_CURSOR for one of another question, whose place means nothing here. */
export function openCursor(request: Paged): string {
  const { cursor } = request
  if (cursor === '') return ''
  const mark = `${markOf(request)}.`
  if (!cursor.startsWith(mark)) throw errors.INVALID_CURSOR()
  return cursor.slice(mark.length)
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value
}
