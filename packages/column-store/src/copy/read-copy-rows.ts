import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { columnStoreErrors } from '../column-store-errors.js'
import { corruptAs } from '../columns/column-reader.js'

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
/** The flags that a reader must know; none is defined today but the one for object ids, which PostgreSQL 12 removed. */
const CRITICAL_FLAGS = 0xffff0000
const END = 0xffff
const NULL = 0xffffffff

/**
 * Reads what PostgreSQL sends for `COPY (…) TO STDOUT (FORMAT binary)`, which takes half the time of bytea in the text of query results. Returns the
 * fields of each row as views of the bytes, in the binary form of their types; null for null.
 * @throws COLUMN_CHUNK_CORRUPT when the bytes are not a whole answer
 */
export function readCopyRows(bytes: Uint8Array): (Buffer | null)[][] {
  return corruptAs(columnStoreErrors.COLUMN_CHUNK_CORRUPT, () => readRows(bytes))
}

function readRows(bytes: Uint8Array): (Buffer | null)[][] {
  const reader = new ByteReader(bytes)
  if (!reader.bytes(SIGNATURE.length).equals(SIGNATURE)) throw new InvalidBytes('the bytes are no binary COPY')
  if ((reader.u32be() & CRITICAL_FLAGS) !== 0) throw new InvalidBytes('the binary COPY has unknown flags')
  reader.bytes(reader.u32be())
  const rows: (Buffer | null)[][] = []
  for (let fields = reader.u16be(); fields !== END; fields = reader.u16be())
    rows.push(Array.from({ length: fields }, () => readField(reader)))
  reader.end()
  return rows
}

function readField(reader: ByteReader): Buffer | null {
  const length = reader.u32be()
  return length === NULL ? null : reader.bytes(length)
}

export interface CopySource {
  /** A table, or a view. */
  readonly table: string
  /** Its key, a column of integers. */
  readonly key: string
  /** The columns to read, for example those of the wanted segments. */
  readonly columns: readonly string[]
}

const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/

/**
 * The statement that reads key and columns of some rows, to be run as it is: COPY takes no parameters, so keys are written into it, and only
 * integers can be. Rows come in any order.
 * @throws COLUMN_SCHEMA_INVALID for a name that is not a plain lower-case identifier or a key that is not a safe integer
 */
export function copyRowsStatement({ table, key, columns }: CopySource, keys: readonly number[]): string {
  for (const name of [table, key, ...columns])
    if (!IDENTIFIER.test(name)) throw invalid(`${JSON.stringify(name)} is not a plain lower-case identifier`)
  if (!keys.every(Number.isSafeInteger)) throw invalid('a key is not a safe integer')
  const wanted = keys.length === 0 ? 'false' : `"${key}" in (${keys.join(', ')})`
  const list = [key, ...columns].map((name) => `"${name}"`).join(', ')
  return `copy (select ${list} from "${table}" where ${wanted}) to stdout (format binary)`
}

function invalid(message: string): Error {
  return columnStoreErrors.COLUMN_SCHEMA_INVALID({ message })
}
