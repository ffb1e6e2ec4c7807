import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const CHECK_MS = 250

/**
 * Sends SIGTERM to this process when npm, which runs it, has ended. npm passes SIGINT and SIGTERM on, but SIGKILL of npm alone would leave this process behind.
 * Nothing happens without npm: then the process may be meant to outlive the shell that started it.
 */
export function endWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  // npm runs scripts by a shell, which some systems replace by the script's program.
  const isShell = /^(\S*\/)?(sh|dash|bash|ash|zsh)\s+-c\s/.test(commandOf(parent))
  const isNpmAlive = isShell ? sameParent(parent) : () => true
  const timer = setInterval(() => {
    if (process.ppid === parent && isNpmAlive()) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, CHECK_MS)
  timer.unref()
}

function sameParent(pid) {
  const first = parentOf(pid)
  if (process.platform === 'linux') return () => parentOf(pid) === first
  return () => isAlive(first)
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function commandOf(pid) {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

/** Undefined when there is no such process. */
function parentOf(pid) {
  try {
    if (process.platform === 'linux')
      return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    return Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }))
  } catch {
    return undefined
  }
}
