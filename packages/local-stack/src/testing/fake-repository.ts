import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SERVICES, serviceProgram } from '../services.js'
import { temporaryDirectory } from '../temporary.js'

/**
 * A directory laid out like the built repository, whose services only answer `/ready` and whose migrations only check that they are
 * given a database. The service named by BREAK_SERVICE dies at start.
 */
export function createFakeRepository(): string {
  const root = temporaryDirectory('millrace-fake-')
  for (const { name } of SERVICES) write(join(root, serviceProgram(name)), SERVICE)
  write(join(root, 'packages/auth/dist/seed-cli.js'), MIGRATIONS)
  return root
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

const SERVICE = `
const { createServer } = require('node:http')
const { ADMIN_PORT, HTTP_PORT, BREAK_SERVICE } = process.env
console.log('starting with', JSON.stringify({ HTTP_PORT, ADMIN_PORT }))
if (BREAK_SERVICE) { console.log('cannot go on'); process.exit(3) }
createServer((req, res) => res.end(JSON.stringify(process.env))).listen(Number(ADMIN_PORT), '127.0.0.1')
process.on('SIGTERM', () => { console.log('drained'); process.exit(0) })
`

const MIGRATIONS = `
if (!process.env.DATABASE_URL) { console.error('no DATABASE_URL'); process.exit(1) }
`
