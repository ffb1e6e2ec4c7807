import { defineErrors, isMillraceError } from '@millrace/contracts'

/** How a statement, a transaction or a connection can fail. `details.sqlState` is set when the server sent one. */
export const databaseErrors = defineErrors({
  DATABASE_UNAVAILABLE: ['unavailable', 'the database cannot be reached'],
  DATABASE_CONFLICT: ['unavailable', 'the transaction conflicts with a concurrent one'],
  DATABASE_TIMEOUT: ['unavailable', 'the statement exceeded its time limit', { httpStatus: 504 }],
  DATABASE_LOCK_TIMEOUT: ['unavailable', 'the lock was not granted in time'],
  DATABASE_FULL: ['unavailable', 'the database is out of space or memory'],
  DATABASE_READ_ONLY: ['unavailable', 'the database is read only'],
  DATABASE_DATA_ERROR: ['invalid', 'the database refuses a value'],
  DATABASE_FENCED: ['conflict', 'another owner has taken over'],
  DATABASE_STATEMENT_ERROR: ['internal', 'the database cannot run the statement'],
  DATABASE_CONFIG: ['invalid', 'the server is not the one that the settings need'],
  DATABASE_MIGRATION_REFUSED: ['internal', 'the migrations do not match the database'],
})

/** Whether the values are the cause (SQLSTATE classes 22 and 23), so that the same values would fail again. */
export function isDataError(error: unknown): boolean {
  return isMillraceError(error) && error.code === databaseErrors.DATABASE_DATA_ERROR.code
}
