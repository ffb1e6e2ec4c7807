import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Whether a process with this id exists (a zombie counts as gone). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return readStat(pid)?.state !== 'Z'
}

/**
 * A text that tells this process from any other one with the same id: its start time as the system gives it, and on Linux the boot, since times count from
 * there. Undefined when there is no such process.
 */
export function processIdentity(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const stat = readStat(pid)
    return stat && `${stat.startTicks}@${bootId()}`
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}

/** Id and identity of this process, in one text that no other process has. */
export function ownIdentity(): string {
  return `${process.pid} ${processIdentity(process.pid)}`
}

/** Whether the process that wrote this text by `ownIdentity` still runs. The id of a process alone is enough when it has no identity. */
export function isRunning(identity: string): boolean {
  const [pid = '', rest] = identity.split(/ (.*)/)
  return Number(pid) > 0 && isAlive(Number(pid)) && (rest === undefined || processIdentity(Number(pid)) === rest)
}

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

let boot: string | undefined

function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return boot
}

function parentsFromProc(): Map<number, number> {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? readStat(Number(entry))?.parent : undefined
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

/** Fields of proc(5)'s stat; the command name in parentheses may itself hold spaces and parentheses. */
function readStat(pid: number): { state: string; parent: number; startTicks: string } | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', parent: Number(fields[1]), startTicks: fields[19] ?? '' }
  } catch {
    return undefined
  }
}
