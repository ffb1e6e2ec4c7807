import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** Time for a program to end by itself after a signal. */
const END_MS = 15_000

const groups = new Set()

/**
 * Starts a program in a process group of its own, so that it and everything that it starts in this group end together: a signal that ends this command is
 * passed on to the group, this command ends after it, and what is left of the group when the program ends is killed. `remember` is told the id of the
 * process and returns a function that forgets it: rememberChild of local-stack ends the program when this command is killed with SIGKILL.
 */
export function spawnGroup(command, args, { remember, ...options } = {}) {
  const child = spawn(command, args, { ...options, detached: true })
  if (child.pid === undefined) return child
  if (groups.size === 0) for (const name of SIGNALS) process.on(name, passOn)
  groups.add(child.pid)
  const forget = remember?.(child.pid)
  child.once('exit', () => {
    signalGroup(child.pid, 'SIGKILL')
    groups.delete(child.pid)
    forget?.()
    if (groups.size === 0) for (const name of SIGNALS) process.removeListener(name, passOn)
  })
  return child
}

/** Sends a signal to a group; one that has ended is left alone. */
export function signalGroup(pid, name) {
  try {
    process.kill(-pid, name)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

let endsBy

/** The same signal may come twice, from the terminal and from npm. */
function passOn(name) {
  if (endsBy !== undefined) return
  endsBy = name
  for (const pid of groups) signalGroup(pid, name)
  setTimeout(() => {
    for (const pid of groups) signalGroup(pid, 'SIGKILL')
  }, END_MS)
  const timer = setInterval(() => {
    if (groups.size > 0) return
    clearInterval(timer)
    process.exit(128 + constants.signals[name])
  }, 10)
}
