import { machineCpu, processFigures } from '../load/process-figures.js'

/** What one process used since the meter was started. */
export interface ProcessUsage {
  name: string
  cpuSeconds: number
  rssMib: number
  pssMib: number
  wasRestarted: boolean
}

export interface Usage {
  seconds: number
  each: ProcessUsage[]
  stackCpuSeconds: number
  machineBusySeconds: number
  machineSeconds: number
}

export interface Meter {
  /** Processor time since the start of the meter, and the memory of this moment. */
  read(): Usage
}

/** Starts to measure the processor time of every process that `processes` lists. */
export function startMeter(processes: () => { name: string; pid: number }[]): Meter {
  const at = performance.now()
  const before = new Map(processes().map(({ name, pid }) => [name, { pid, cpu: processFigures(pid).cpuSeconds }]))
  const machineBefore = machineCpu()
  return {
    read() {
      const seconds = (performance.now() - at) / 1000
      const machine = machineCpu()
      const each = processes().map(({ name, pid }) => {
        const now = processFigures(pid)
        const start = before.get(name)
        // A process that was started again has used all of its time since then.
        const cpuSeconds = now.cpuSeconds - (start?.pid === pid ? start.cpu : 0)
        return { name, cpuSeconds, rssMib: now.rssMib, pssMib: now.pssMib, wasRestarted: start?.pid !== pid }
      })
      return {
        seconds,
        each,
        stackCpuSeconds: each.reduce((sum, one) => sum + one.cpuSeconds, 0),
        machineBusySeconds: machine.busySeconds - machineBefore.busySeconds,
        machineSeconds: machine.totalSeconds - machineBefore.totalSeconds,
      }
    },
  }
}
