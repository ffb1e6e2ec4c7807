import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks a second of /proc, fixed by Linux's user interface. */
const TICKS_PER_SECOND = 100

/** The resources of a process and all processes below it. */
export interface ProcessFigures {
  /** Processor time since their start, including that of children that have ended, in seconds. */
  cpuSeconds: number
  /** Memory in MiB. The proportional set size counts a page that n processes share as 1/n in each of them. */
  rssMib: number
  pssMib: number
  processes: number
}

/** Processor time and memory of a process and all below it, from /proc; Linux only. Zero when it is gone. */
export function processFigures(pid: number): ProcessFigures {
  const parents = readParents()
  const tree = [pid]
  for (const parent of tree) for (const [child, itsParent] of parents) if (itsParent === parent) tree.push(child)
  const sum: ProcessFigures = { cpuSeconds: 0, rssMib: 0, pssMib: 0, processes: 0 }
  for (const id of tree) {
    const stat = readStat(id)
    if (!stat) continue
    sum.processes++
    sum.cpuSeconds += stat.cpuSeconds
    const memory = readMemory(id)
    sum.rssMib += memory.rss
    sum.pssMib += memory.pss
  }
  return sum
}

/** Processor time of the whole machine in seconds: used, and in total. */
export function machineCpu(): { busySeconds: number; totalSeconds: number } {
  const fields = readFileSync('/proc/stat', 'latin1').split('\n')[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? []
  const total = fields.reduce((sum, ticks) => sum + ticks, 0)
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0)
  return { busySeconds: (total - idle) / TICKS_PER_SECOND, totalSeconds: total / TICKS_PER_SECOND }
}

/** The command line of a process, for messages. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

function readParents(): Map<number, number> {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = readStat(Number(entry))
    if (stat) parents.set(Number(entry), stat.parent)
  }
  return parents
}

/** Fields of proc(5)'s stat after the command name: 4 parent, 14 to 17 own and waited-for children's user and system ticks. */
function readStat(pid: number): { parent: number; cpuSeconds: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + (fields[index] ?? 0), 0)
    return { parent: fields[1] ?? 0, cpuSeconds: ticks / TICKS_PER_SECOND }
  } catch {
    return undefined
  }
}

function readMemory(pid: number): { rss: number; pss: number } {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
    const mib = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
    return { rss: mib('Rss'), pss: mib('Pss') }
  } catch {
    return { rss: 0, pss: 0 }
  }
}
