import { isMillraceError } from '@millrace/contracts'

/** Why PostgreSQL refused one row. */
export interface PoisonReason {
  readonly code: string
  readonly reason: string
}

const REASONS: Readonly<Record<string, string>> = {
  '08P01': 'the row is not in the form that COPY asks for',
  '22021': 'a text is not valid UTF-8',
  '22P02': 'properties or context is not valid JSON',
  '22P05': 'a text holds a character that PostgreSQL cannot store',
  '22003': 'a number is out of range',
  '22008': 'a time is out of range',
  '23514': 'the time of the row is not the time of the record',
}

/**
 * The poison behind `error` when the data of the statement is to blame, so that sending it again fails again; null for everything else.
 * Classes 22 (data), 23 (constraints) and 54 (limits), and the protocol violation that a malformed binary row is answered with.
 */
export function toPoisonReason(error: unknown): PoisonReason | null {
  if (!isMillraceError(error)) return null
  const state = error.details?.sqlState
  if (typeof state !== 'string') return null
  const isPoison = state === '08P01' || ['22', '23', '54'].includes(state.slice(0, 2))
  return isPoison ? { code: state, reason: REASONS[state] ?? error.message } : null
}
