import { customType } from 'drizzle-orm/pg-core'

/** bytea as Buffer. */
export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })
