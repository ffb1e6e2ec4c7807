// npm run db -- REPORT [--json]: reports about PostgreSQL for operators. It uses DATABASE_URL, or else the database of the running stack.
import { runOnDatabase } from './run-on-database.mjs'

process.exitCode = await runOnDatabase('packages/database/dist/db-cli.js')
