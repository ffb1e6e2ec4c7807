// npm run db -- REPORT [--json]: what an operator asks of PostgreSQL. The database is DATABASE_URL's, else that of the stack that runs.
import { runOnDatabase } from './run-on-database.mjs'

process.exitCode = await runOnDatabase('packages/database/dist/db-cli.js')
