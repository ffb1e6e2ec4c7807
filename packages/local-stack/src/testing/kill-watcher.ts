import { readdirSync, readFileSync } from 'node:fs'
import { signal } from '../process-table.js'

/** Kills the watcher of a process with SIGKILL. Its argument is the notes directory of the process. */
export function killWatcher(owner: number): void {
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const command = commandOf(id)
    if (command.includes('watch-owner.js') && command.includes(`/${owner}-`)) signal(Number(id), 'SIGKILL')
  }
}

/** Empty for a process that has just ended. */
function commandOf(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}
