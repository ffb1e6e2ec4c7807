import { setTimeout as delay } from 'node:timers/promises'
import { type Child, type Exit, waitUntilReady } from './child.js'

/** A program that listens on a fixed port and can be crashed, frozen and started again on the same data. */
export interface Server {
  readonly name: string
  readonly logFile: string
  /** Process id of the current run; `restart` changes it. */
  readonly pid: number
  /** Resolves when the current run has ended, for any reason. */
  readonly exited: Promise<Exit>
  /** Sends a signal to the server and every process below it. SIGKILL (default) simulates a crash and waits until the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Sends SIGSTOP: the server keeps its connections and does not answer. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Stops the server if it runs, starts it with the same port and data, and waits until it is ready. */
  restart(): Promise<void>
  /** Shuts the server down cleanly and removes its temporary files. May be called twice, and during a start. */
  stop(): Promise<void>
  /** The last lines of the current run. */
  tail(lines?: number): string
}

export interface ServerRecipe {
  name: string
  logFile: string
  spawn: () => Promise<Child>
  isReady: () => Promise<boolean>
  /** Time allowed for a start, recovery included, in milliseconds. */
  readyDeadlineMs: number
  /** The signal that asks for a clean end, and the time until SIGKILL, in milliseconds. */
  stopSignal: NodeJS.Signals
  stopGraceMs: number
  /** Whether a start that failed with this message may succeed a moment later, so that it is tried again. */
  isPassing?: (message: string) => boolean
  /** Removes temporary files after `stop`. */
  cleanUp?: () => void
}

/**
 * Starts a server and waits until it is ready.
 * @throws with its last lines when it dies at start or is not ready in time.
 */
export async function startServer(recipe: ServerRecipe): Promise<Server> {
  let child: Child
  const stopChild = () => child?.stop(recipe.stopSignal, recipe.stopGraceMs)
  const start = async () => {
    const deadline = Date.now() + recipe.readyDeadlineMs
    for (;;) {
      try {
        child = await recipe.spawn()
        return await waitUntilReady(child, recipe.readyDeadlineMs, recipe.isReady)
      } catch (error) {
        if (!recipe.isPassing?.((error as Error).message) || Date.now() > deadline) throw error
        await delay(50)
      }
    }
  }
  try {
    await start()
  } catch (error) {
    recipe.cleanUp?.()
    throw error
  }
  return {
    name: recipe.name,
    logFile: recipe.logFile,
    get pid() {
      return child.pid
    },
    get exited() {
      return child.exited
    },
    kill: (signal = 'SIGKILL') => child.kill(signal),
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    restart: async () => {
      await stopChild()
      await start()
    },
    stop: async () => {
      await stopChild()
      recipe.cleanUp?.()
    },
    tail: (lines) => child.tail(lines),
  }
}

/** `server` with additional properties. Unlike a spread, it keeps the getters of `server`. */
export function extendServer<T extends object>(server: Server, more: T): Server & Readonly<T> {
  return Object.assign(Object.create(server) as Server, more)
}
