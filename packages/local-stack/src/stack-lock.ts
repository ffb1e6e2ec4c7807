import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, processIdentity } from './process-table.js'

/**
 * Locks the data directory for this process. The returned function unlocks it.
 * @throws when another running process holds the lock.
 */
export function lockDataDirectory(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  const file = join(dataDir, 'stack.lock')
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, `${process.pid} ${processIdentity(process.pid)}`, { flag: 'wx' })
      return () => rmSync(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const [pid = '', identity] = readFileSync(file, 'utf8').split(/ (.*)/)
    if (isAlive(Number(pid)) && processIdentity(Number(pid)) === identity) {
      throw new Error(
        `a stack already runs on ${dataDir} (process ${pid}): stop it, or set MILLRACE_DATA_DIR to another directory`,
      )
    }
    rmSync(file, { force: true })
  }
  throw new Error(`${file} is being created by another start`)
}
