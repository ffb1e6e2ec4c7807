import { type Database, openDatabase } from './open-database.js'
import { reportBloat } from './reports/bloat.js'
import { reportCache } from './reports/cache.js'
import { reportConnections } from './reports/connections.js'
import { reportIndexes } from './reports/indexes.js'
import { renderJson, renderText, type Section } from './reports/render-report.js'
import { reportSlow } from './reports/slow-statements.js'

const USAGE = `usage: npm run db -- REPORT [--json]
  slow         statements by total time, and indexes that would make them cheaper
  bloat        estimated dead space of tables and indexes; --exact reads the pages
  indexes      unused and redundant indexes, sequential scans of large tables
  cache        share of pages found in memory
  connections  connections by application, and what they wait for
The database is the one in DATABASE_URL, else that of the stack that npm start runs.
`

interface Options {
  readonly isExact: boolean
}

const REPORTS: Readonly<Record<string, (database: Database, options: Options) => Promise<Section[]>>> = {
  slow: reportSlow,
  bloat: (database, { isExact }) => reportBloat(database, isExact),
  indexes: reportIndexes,
  cache: reportCache,
  connections: reportConnections,
}

async function main([name = '', ...flags]: readonly string[], url: string | undefined): Promise<number> {
  const report = Object.hasOwn(REPORTS, name) ? REPORTS[name] : undefined
  if (report === undefined || flags.some((flag) => flag !== '--json' && flag !== '--exact')) {
    process.stderr.write(USAGE)
    return 2
  }
  if (!url) {
    process.stderr.write('DATABASE_URL is not set: set it to the address of the PostgreSQL database\n')
    return 2
  }
  const database = openDatabase({ url, retryAttempts: 1, statementTimeoutMs: 120_000, applicationName: 'millrace db' })
  try {
    const sections = await report(database, { isExact: flags.includes('--exact') })
    process.stdout.write(flags.includes('--json') ? renderJson(sections) : renderText(sections))
    return 0
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  } finally {
    await database.close()
  }
}

process.exitCode = await main(process.argv.slice(2), process.env.DATABASE_URL)
