// npm run audit -- verify | list: the audit entries. It uses DATABASE_URL, or else the database of the running stack.
import { runOnDatabase } from './run-on-database.mjs'

process.exitCode = await runOnDatabase('packages/audit/dist/audit-cli.js')
