import { type ErrorFactory, isMillraceError, type MillraceError } from '@millrace/contracts'
import { databaseErrors } from './errors.js'
import { CLIENT_TIMEOUT_MESSAGE } from './pg-internals.js'

/** The SQLSTATE that millrace_fence() raises. */
const FENCED = 'MR001'

/** By single SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html */
const byState: Readonly<Record<string, ErrorFactory>> = {
  [FENCED]: databaseErrors.DATABASE_FENCED,
  '40001': databaseErrors.DATABASE_CONFLICT,
  '40P01': databaseErrors.DATABASE_CONFLICT,
  '55P03': databaseErrors.DATABASE_LOCK_TIMEOUT,
  '57014': databaseErrors.DATABASE_TIMEOUT,
  '25006': databaseErrors.DATABASE_READ_ONLY,
  '57P01': databaseErrors.DATABASE_UNAVAILABLE,
  '57P02': databaseErrors.DATABASE_UNAVAILABLE,
  '57P03': databaseErrors.DATABASE_UNAVAILABLE,
  '57P05': databaseErrors.DATABASE_UNAVAILABLE,
  '53300': databaseErrors.DATABASE_UNAVAILABLE,
}

/** By class, the first two characters. 28 and 3D are wrong credentials and a missing database: a person can repair them while callers retry. */
const byClass: Readonly<Record<string, ErrorFactory>> = {
  '08': databaseErrors.DATABASE_UNAVAILABLE,
  '22': databaseErrors.DATABASE_DATA_ERROR,
  '23': databaseErrors.DATABASE_DATA_ERROR,
  '28': databaseErrors.DATABASE_UNAVAILABLE,
  '3D': databaseErrors.DATABASE_UNAVAILABLE,
  '53': databaseErrors.DATABASE_FULL,
  '58': databaseErrors.DATABASE_UNAVAILABLE,
}

interface ServerError extends Error {
  code: string
  severity?: string
  constraint?: string
  column?: string
  table?: string
  routine?: string
}

/** Turns an error of pg or of a socket into one of `databaseErrors`. The message is the server's; its `detail`, which quotes values, is left out. */
export function toDatabaseError(error: unknown): MillraceError {
  if (isMillraceError(error)) return error
  const server = findServerError(error)
  if (server) return fromServer(server, error)
  const message = error instanceof Error ? error.message : String(error)
  if (message === CLIENT_TIMEOUT_MESSAGE) {
    return databaseErrors.DATABASE_TIMEOUT({ message: 'the database did not answer in time', cause: error })
  }
  return databaseErrors.DATABASE_UNAVAILABLE({ message: describeLoss(error, message), cause: error })
}

/** Without the address, since the message reaches clients of the API; the log has it with the cause. */
function describeLoss(error: unknown, message: string): string {
  const code = (error as { code?: unknown } | undefined)?.code
  if (code === 'ECONNREFUSED') return 'PostgreSQL refuses connections'
  return `PostgreSQL cannot be reached: ${typeof code === 'string' ? code : message}`
}

function fromServer(server: ServerError, cause: unknown): MillraceError {
  const sqlState = server.code
  const make = byState[sqlState] ?? byClass[sqlState.slice(0, 2)] ?? databaseErrors.DATABASE_STATEMENT_ERROR
  const { constraint, column, table } = server
  const details = { sqlState, ...(constraint && { constraint }), ...(column && { column }), ...(table && { table }) }
  // Messages of class 22 and 23 quote the refused value, which may be personal data.
  const message =
    make === databaseErrors.DATABASE_DATA_ERROR ? `the database refuses a value (${sqlState})` : server.message
  return make({ message, cause, details })
}

function findServerError(error: unknown): ServerError | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    const candidate = current as ServerError
    if (candidate.severity !== undefined && /^[0-9A-Z]{5}$/.test(candidate.code ?? '')) return candidate
  }
  return undefined
}

/** Whether the client stopped waiting, so that the server may still run the statement. */
export function isClientTimeout(error: unknown): boolean {
  return (
    isMillraceError(error) && databaseErrors.DATABASE_TIMEOUT.matches(error) && error.details?.sqlState === undefined
  )
}
