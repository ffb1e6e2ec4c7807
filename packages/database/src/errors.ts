import { defineErrors, isMillraceError } from '@millrace/contracts'

/** How a statement, a transaction or a connection can fail. `details.sqlState` is there where the server gave one. */
export const databaseErrors = defineErrors({
  DATABASE_UNAVAILABLE: ['unavailable', 'the database cannot be reached'],
  DATABASE_CONFLICT: ['unavailable', 'the transaction met a conflicting one'],
  DATABASE_TIMEOUT: ['unavailable', 'the statement took longer than it may', { httpStatus: 504 }],
  DATABASE_LOCK_TIMEOUT: ['unavailable', 'the lock was not to be had in time'],
  DATABASE_FULL: ['unavailable', 'the database has run out of space or memory'],
  DATABASE_READ_ONLY: ['unavailable', 'the database takes no writes at present'],
  DATABASE_DATA_ERROR: ['invalid', 'the database refuses a value'],
  DATABASE_FENCED: ['conflict', 'another owner has taken over'],
  DATABASE_STATEMENT_ERROR: ['internal', 'the statement is not one the database can run'],
  DATABASE_MIGRATION_REFUSED: ['internal', 'the migrations do not fit the database'],
})

/** Whether the values are at fault (SQLSTATE classes 22 and 23), so that sending them again unchanged fails again. */
export function isDataError(error: unknown): boolean {
  return isMillraceError(error) && error.code === databaseErrors.DATABASE_DATA_ERROR.code
}
