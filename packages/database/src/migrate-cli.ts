import { migrate } from './migrate.js'

const url = process.env.DATABASE_URL
if (!url) {
  process.stderr.write('DATABASE_URL is not set: set it to the address of the PostgreSQL database to migrate\n')
  process.exit(2)
}
try {
  const { applied, alreadyApplied } = await migrate(url)
  process.stdout.write(
    applied.length > 0 ? `applied ${applied.join(', ')}\n` : `up to date, ${alreadyApplied} migrations applied\n`,
  )
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
