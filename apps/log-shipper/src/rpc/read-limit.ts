import { coreErrors } from '@millrace/contracts'

const LIMIT_DEFAULT = 10
const LIMIT_MAX = 100

/** The limit of a request; 0 is the default. @throws INVALID_REQUEST */
export function readLimit(limit: number): number {
  if (limit > LIMIT_MAX) throw coreErrors.INVALID_REQUEST({ message: `limit must be from 1 to ${LIMIT_MAX}` })
  return limit === 0 ? LIMIT_DEFAULT : limit
}
