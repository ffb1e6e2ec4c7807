import { createHash } from 'node:crypto'
import type { RunQueryRequest } from '@millrace/contracts'
import { errors } from '../errors.js'

/** What two pages of one answer have in common: all that was asked but the size of a page, the place in it and how fresh it has to be. */
export function markOf(request: RunQueryRequest): string {
  const {
    limit: _limit,
    cursor: _cursor,
    explain: _explain,
    fresh: _fresh,
    minWatermark: _minWatermark,
    ...question
  } = request
  return createHash('sha256').update(JSON.stringify(question, plain)).digest('base64url').slice(0, 11)
}

/** A cursor as it goes out: it says which question it belongs to. Empty stays empty. */
export function sealCursor(cursor: string, mark: string): string {
  return cursor === '' ? '' : `${mark}.${cursor}`
}

/** @throws INVALID_CURSOR for one of another question, whose place means nothing here. */
export function openCursor(sealed: string, mark: string): string {
  if (sealed === '') return ''
  if (!sealed.startsWith(`${mark}.`)) throw errors.INVALID_CURSOR()
  return sealed.slice(mark.length + 1)
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value
}
