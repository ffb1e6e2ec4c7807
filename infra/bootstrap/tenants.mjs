// npm run tenants -- COMMAND: tenants, their keys and their limits. It uses DATABASE_URL, or else the database of the running stack.
import { runOnDatabase } from './run-on-database.mjs'

process.exitCode = await runOnDatabase('packages/auth/dist/tenants-cli.js')
