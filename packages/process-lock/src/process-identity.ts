import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Whether a process with this id exists (a zombie counts as gone). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return readProcessStat(pid)?.state !== 'Z'
}

/**
 * A text that tells this process from any other one with the same id: its start time as the system gives it, and on Linux the boot, since times count from
 * there. Undefined when there is no such process.
 */
export function processIdentity(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const stat = readProcessStat(pid)
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

let boot: string | undefined

function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return boot
}

/** Fields of proc(5)'s stat; undefined when there is no such process or no /proc. The command name in parentheses may itself have spaces and parentheses. */
export function readProcessStat(pid: number): { state: string; parent: number; startTicks: string } | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', parent: Number(fields[1]), startTicks: fields[19] ?? '' }
  } catch {
    return undefined
  }
}
