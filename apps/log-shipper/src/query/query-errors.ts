import { defineErrors } from '@millrace/contracts'

/** The errors of the query language. */
export const queryErrors = defineErrors({
  LOG_QUERY_INVALID: ['invalid', 'the log query is not valid'],
})

/** What is wrong with a query, and where. */
export interface QueryFault {
  /** Index of the first character that is wrong, in UTF-16 code units as JavaScript counts them, from 0. */
  readonly position: number
  /** A fact, in lower case and without a full stop. */
  readonly problem: string
  /** What to write instead. */
  readonly suggestion?: string | undefined
}

/** LOG_QUERY_INVALID with the position and the suggestion in its message and in its details. */
export function invalidQuery({ position, problem, suggestion }: QueryFault): Error {
  return queryErrors.LOG_QUERY_INVALID({
    message: `q is not valid at character ${position}: ${problem}${suggestion === undefined ? '' : `; ${suggestion}`}`,
    details: { field: 'q', position, ...(suggestion !== undefined && { suggestion }) },
  })
}
