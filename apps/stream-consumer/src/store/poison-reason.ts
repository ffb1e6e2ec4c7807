import { isMillraceError } from '@millrace/contracts'

/** Why PostgreSQL refuses a record; `code` is its SQLSTATE. */
export interface PoisonReason {
  readonly code: string
  readonly reason: string
}

const REASONS: Readonly<Record<string, string>> = {
  '08P01': 'the row is not a valid row for COPY',
  '22021': 'a text is not valid UTF-8',
  '22P02': 'properties or context is not valid JSON',
  '22P05': 'a text holds a character that PostgreSQL cannot store',
  '22003': 'a number is out of range',
  '22008': 'a time is out of range',
  '23514': 'the time of the row differs from the time of its record',
}

/**
 * The reason why PostgreSQL refuses the data of a statement, so that sending it again would fail again; null when the
 * error has another cause. Data errors are the SQLSTATE classes 22 (data), 23 (constraints) and 54 (limits), and the
 * protocol violation that answers a malformed binary row.
 */
export function toPoisonReason(error: unknown): PoisonReason | null {
  if (!isMillraceError(error)) return null
  const state = error.details?.sqlState
  if (typeof state !== 'string') return null
  const isPoison = state === '08P01' || ['22', '23', '54'].includes(state.slice(0, 2))
  return isPoison ? { code: state, reason: REASONS[state] ?? error.message } : null
}
