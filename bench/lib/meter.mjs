import { machineCpu, processFigures } from '../dist/load/index.js'

/** Notes the processor time of every process of the stack; `read` gives what was used since, and memory at that moment. */
export function startMeter(processes) {
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
        // One that was started again has used all its time since.
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
