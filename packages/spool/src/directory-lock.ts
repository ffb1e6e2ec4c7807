import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { spoolErrors } from './spool-errors.js'

/**
 * Keeps a second process of this machine out of a spool directory; returns a function that releases it. The lock of a process that has ended is taken over;
 * a process id that was reused, like id 1 in every container, is recognised by the start time of its process.
 * @throws SPOOL_LOCKED
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock')
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await open(path, 'wx')
      await file.writeFile(await identify(process.pid))
      await file.close()
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = await readFile(path, 'utf8').catch(() => '')
    const pid = Number.parseInt(holder, 10)
    if (pid > 0 && (await identify(pid)) === holder) {
      throw spoolErrors.SPOOL_LOCKED({
        message: `process ${pid} uses the spool in ${directory}`,
        details: { directory, pid },
      })
    }
    await rm(path, { force: true })
  }
  throw spoolErrors.SPOOL_LOCKED({ details: { directory } })
}

/** The id and, if /proc exists, the start time of a process; empty when there is no such process. */
async function identify(pid: number): Promise<string> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return ''
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The name in parentheses may contain spaces; the start time is field 22, the 20th after it.
  const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  return `${pid} ${startedAt}\n`
}
