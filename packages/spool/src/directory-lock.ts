import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createExclusively, isRunning, ownIdentity } from '@millrace/process-lock'
import { spoolErrors } from './spool-errors.js'

/**
 * Keeps a second process of this machine out of a spool directory; returns a function that releases it. The lock of a process that has ended is taken
 * over, by exactly one of several processes that try at the same time. A process id that was reused, like id 1 in every container, is recognised by the
 * start time of its process.
 * @throws SPOOL_LOCKED
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock')
  if (createExclusively(path, ownIdentity(), (holder) => !isRunning(holder))) return () => rm(path, { force: true })
  const pid = Number.parseInt(await readFile(path, 'utf8').catch(() => ''), 10)
  throw spoolErrors.SPOOL_LOCKED({
    message: `${pid > 0 ? `process ${pid}` : 'another process'} uses the spool in ${directory}`,
    details: { directory, ...(pid > 0 && { pid }) },
  })
}
