import { checkDatabase } from './check-database.js'

// Usage: node packages/database/dist/check-cli.js SETTING
// Checks the PostgreSQL server whose URL is in the environment variable SETTING, also whether migrations may be run. Prints a sentence for a problem and
// ends with exit code 1.

const [setting = 'DATABASE_URL'] = process.argv.slice(2)
const state = await checkDatabase(process.env[setting] ?? '', { setting, migrates: true })
if (state.kind !== 'ok') {
  process.stdout.write(`${state.problem}\n`)
  process.exitCode = 1
}
