import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdirSync, openSync, readSync, realpathSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type EndSignal, rememberChild, rememberStart } from './orphans.js'
import { descendants, signal } from './process-table.js'
import { StopWaiting, waitFor } from './wait.js'

/** A log file larger than this is moved to `.1` before a process starts to write to it again. */
const LOG_BYTES_MAX = 20 * 1024 * 1024

/** Of the last lines in a message: a log line may hold a whole stack of calls. */
const LINE_LENGTH_MAX = 400

export interface ChildOptions {
  /** Used in messages. */
  name: string
  command: string
  args: string[]
  /** The program's own name (argv[0]). Default `command`. */
  argv0?: string | undefined
  /** The complete environment of the child, not an addition to ours. */
  env?: NodeJS.ProcessEnv | undefined
  cwd?: string | undefined
  uid?: number | undefined
  gid?: number | undefined
  /** The child's output is appended here. It is a file and not a pipe, so that the child can run on after this process has ended. */
  logFile: string
  /** How it is ended when this process has ended without stopping it. Default SIGKILL; a signal for a clean end for servers whose data is kept. */
  endSignal?: EndSignal | undefined
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A running program with its output in a file. It runs in a session of its own, so that Ctrl-C in our terminal does not reach it. */
export interface Child {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Undefined while the process runs. */
  readonly exit: Exit | undefined
  /** Sends the signal to the process and every process below it. SIGKILL waits until the process has ended. */
  kill(name?: NodeJS.Signals): Promise<void>
  /** Sends the signal `name`, and kills the process if it has not ended after `graceMs`. */
  stop(name: NodeJS.Signals, graceMs: number): Promise<void>
  /** The last lines that this run wrote. */
  tail(lines?: number): string
}

/** Starts a program. Rejects when it cannot be executed; `waitUntilReady` notices when it ends right after that. */
export async function startChild(options: ChildOptions): Promise<Child> {
  mkdirSync(dirname(options.logFile), { recursive: true })
  rotate(options.logFile)
  const log = openSync(options.logFile, 'a')
  const forgetStart = rememberStart(realpathSync(options.logFile))
  const logStart = fstatSync(log).size
  const process = spawn(options.command, options.args, {
    argv0: options.argv0 ?? options.command,
    env: options.env,
    cwd: options.cwd,
    uid: options.uid,
    gid: options.gid,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  let exit: Exit | undefined
  const exited = new Promise<Exit>((resolve) => {
    process.once('exit', (code, signalName) => {
      exit = { code, signal: signalName }
      resolve(exit)
    })
  })
  // At once, not after the wait: this process may be killed in between.
  if (process.pid !== undefined) void exited.then(rememberChild(process.pid, options.endSignal))
  forgetStart()
  const pid = await spawned(process, options)
  return {
    name: options.name,
    pid,
    exited,
    get exit() {
      return exit
    },
    kill: async (name = 'SIGKILL') => {
      if (exit) return
      for (const id of [pid, ...descendants(pid)]) signal(id, name)
      if (name === 'SIGKILL') await exited
    },
    stop: async (name, graceMs) => {
      if (exit) return
      const below = descendants(pid)
      signal(pid, name)
      signal(pid, 'SIGCONT')
      const timer = setTimeout(() => {
        for (const id of [pid, ...below]) signal(id, 'SIGKILL')
      }, graceMs)
      await exited
      clearTimeout(timer)
    },
    tail: (lines = 30) => readTail(options.logFile, logStart, lines),
  }
}

/** Waits until `isReady` is true. Rejects at once, with the child's last lines, when the child ends before that. */
export async function waitUntilReady(child: Child, deadlineMs: number, isReady: () => Promise<boolean>): Promise<void> {
  const failure = (what: string) => new Error(`${child.name} ${what}; its last lines:\n${child.tail() || '(nothing)'}`)
  try {
    await waitFor(
      async () => {
        if (child.exit) throw new StopWaiting(failure(`ended at start (${describeExit(child.exit)})`))
        return await isReady()
      },
      { deadlineMs, intervalMs: 10 },
    )
  } catch (error) {
    if (child.exit) throw error
    const late = failure(`was not ready within ${deadlineMs} ms`)
    await child.kill('SIGKILL')
    throw new Error(late.message, { cause: error })
  }
}

/** "exit code 1" or "signal SIGKILL". */
export function describeExit(exit: Exit): string {
  return exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code}`
}

function spawned(process: ChildProcess, options: ChildOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    process.once('spawn', () => resolve(process.pid as number))
    process.once('error', (cause) =>
      reject(new Error(`starting ${options.name} (${options.command}): ${cause.message}`, { cause })),
    )
  })
}

function rotate(file: string): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) renameSync(file, `${file}.1`)
}

/** Reads at most the last 64 KiB written since `from`. */
function readTail(file: string, from: number, lines: number): string {
  const fd = openSync(file, 'r')
  try {
    const size = fstatSync(fd).size
    const start = Math.max(from, size - 64 * 1024)
    const buffer = Buffer.alloc(Math.max(0, size - start))
    readSync(fd, buffer, 0, buffer.length, start)
    const last = buffer.toString('utf8').trimEnd().split('\n').slice(-lines)
    return last.map((line) => (line.length > LINE_LENGTH_MAX ? `${line.slice(0, LINE_LENGTH_MAX)}…` : line)).join('\n')
  } finally {
    closeSync(fd)
  }
}
