import { GrowingBytes } from '../bytes/growing-bytes.js'
import { columnStoreErrors } from '../column-store-errors.js'
import { type Appender, type Column, createAppender } from '../columns/columns.js'

/**
 * Compares a decoded column with what was collected: the same values have the same bytes in the form of batches.
 * @throws COLUMN_CHUNK_UNPROVEN
 */
export function proveColumn(collected: Appender, decoded: Column, rows: number): void {
  const again = createAppender(collected.column)
  for (let row = 0; row < rows; row++) again.appendFrom(decoded, row)
  if (bytesOf(again).equals(bytesOf(collected))) return
  throw columnStoreErrors.COLUMN_CHUNK_UNPROVEN({
    message: `column ${collected.column.name} of a chunk does not decode to the values that it was made from`,
    details: { column: collected.column.name },
  })
}

function bytesOf(appender: Appender): Buffer {
  const out = new GrowingBytes(4096)
  appender.encode(out)
  return out.view()
}
