import { execFileSync } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { readProcessStat } from '@millrace/process-lock'

/** The ids of all processes below `pid`, children before grandchildren. */
export function descendants(pid: number): number[] {
  const parents = process.platform === 'linux' ? parentsFromProc() : parentsFromPs()
  const found = [pid]
  for (const parent of found) {
    for (const [child, itsParent] of parents) if (itsParent === parent) found.push(child)
  }
  return found.slice(1)
}

/** The ids of all processes whose standard output is a file; none where the system has no `/proc`. */
export function writersOf(file: string): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    try {
      return readlinkSync(`/proc/${entry}/fd/1`) === file ? [Number(entry)] : []
    } catch {
      // It has ended, or belongs to another user.
      return []
    }
  })
}

/** Sends a signal; false when the process is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

function parentsFromProc(): Map<number, number> {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? readProcessStat(Number(entry))?.parent : undefined
    if (parent !== undefined) parents.set(Number(entry), parent)
  }
  return parents
}

function parentsFromPs(): Map<number, number> {
  const parents = new Map<number, number>()
  for (const line of execFileSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' }).split('\n')) {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    if (pid !== undefined && parent !== undefined) parents.set(pid, parent)
  }
  return parents
}
