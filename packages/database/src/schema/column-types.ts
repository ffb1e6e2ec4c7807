import { customType } from 'drizzle-orm/pg-core'

/** bytea as Buffer. */
export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })

/** A transaction's 64-bit id, as text. */
export const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' })
