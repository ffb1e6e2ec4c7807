import type { GetOptions } from './object-store.js'
import { objectStoreErrors } from './object-store-errors.js'

/**
 * Checks the range of a read. A server ignores a range that it does not understand and sends the whole object.
 * @throws OBJECT_RANGE_INVALID
 */
export function checkRange(range: GetOptions['range']): void {
  if (range === undefined) return
  const { offset, bytes = 0 } = range
  if (isCount(offset) && isCount(bytes)) return
  throw objectStoreErrors.OBJECT_RANGE_INVALID({
    message: `the range of an object must have whole numbers of at least 0, but has the offset ${offset} and ${range.bytes} bytes`,
  })
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
