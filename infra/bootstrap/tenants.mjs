// npm run tenants -- add NAME: makes a tenant and its keys. The database is DATABASE_URL's, else that of the stack that runs.
import { runOnDatabase } from './run-on-database.mjs'

process.exitCode = await runOnDatabase('packages/auth/dist/tenants-cli.js')
