import { defineErrors } from '@millrace/contracts'

/** How a cursor can fail. */
export const paginationErrors = defineErrors({
  INVALID_CURSOR: ['invalid', 'the cursor was not issued for this request'],
  CURSOR_OUTDATED: ['conflict', 'groups have changed places since the page before: begin with the first page again'],
})
