// npm run archive -- COMMAND: the archive of log lines. It uses DATABASE_URL, or else the database of the running stack.
import { runOnDatabase } from './run-on-database.mjs'

process.exitCode = await runOnDatabase('apps/log-shipper/dist/archive-cli.js')
