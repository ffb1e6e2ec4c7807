import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from '@millrace/process-lock'
import { DATABASE_NAME, passwordFile } from './postgres-cluster.js'
import { postgresDirectory } from './stack-servers.js'

/** The address of the PostgreSQL that a stack runs on this data directory, or undefined when none does. */
export function localDatabaseUrl(dataDir: string): string | undefined {
  const directory = postgresDirectory(dataDir, () => undefined)
  const pidFile = join(directory, 'postmaster.pid')
  if (!existsSync(pidFile)) return undefined
  // Its first line is the process, its fourth the port: https://www.postgresql.org/docs/current/storage-file-layout.html
  const [pid = '', , , port = ''] = readFileSync(pidFile, 'utf8').split('\n')
  if (!isAlive(Number(pid)) || port === '') return undefined
  const file = passwordFile(directory)
  const password = existsSync(file) ? `:${readFileSync(file, 'utf8').trim()}` : ''
  return `postgres://postgres${password}@127.0.0.1:${port}/${DATABASE_NAME}`
}
