import { migrate, openDatabase } from '@millrace/database'
import { seedKeys } from './keys/seed-keys.js'

const { DATABASE_URL, BOOTSTRAP_WRITE_KEY, BOOTSTRAP_ADMIN_KEY, NODE_ENV } = process.env
if (!DATABASE_URL) {
  process.stderr.write('DATABASE_URL is not set: it must be the URL of the PostgreSQL database to migrate and seed\n')
  process.exit(2)
}
const database = openDatabase({ url: DATABASE_URL, connectionLimit: 1, applicationName: 'millrace-seed' })
try {
  const { applied } = await migrate(DATABASE_URL)
  await seedKeys(
    { writeKey: BOOTSTRAP_WRITE_KEY, adminKey: BOOTSTRAP_ADMIN_KEY, isProduction: NODE_ENV === 'production' },
    { database },
  )
  process.stdout.write(
    `${applied.length} migrations applied; the tenant default exists${BOOTSTRAP_WRITE_KEY || BOOTSTRAP_ADMIN_KEY ? ', and its given keys are stored' : ''}\n`,
  )
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await database.close()
}
