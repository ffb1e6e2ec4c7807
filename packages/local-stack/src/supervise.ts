import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { describeExit, type Exit } from './child.js'
import type { Server } from './server.js'

export interface SupervisionOptions {
  /** Told, in one line, that the server died and that it is back. */
  say: (line: string) => void
  /** Called once when it keeps dying; it is not started again then. */
  onGivenUp: (error: Error) => void
  /** How many deaths of its own doing in a row end the supervision. Default 5. */
  deathsMax?: number
  /** A run that was ready for so long begins a new row. Default 60,000. */
  steadyMs?: number
  /** Pause before the second start in a row; it doubles up to 16-fold. The first start is at once. Default 200. */
  backoffMs?: number
  /** What it cannot live without: a death is not held against it when one of these was down in its time. */
  needs?: readonly Supervised[]
}

/** A server that is started again whenever it dies. */
export interface Supervised<S extends Server = Server> {
  readonly server: S
  /** Whether it was dead, or not ready yet, at any time since `sinceMs` on the clock of `performance.now()`. */
  wasDown(sinceMs: number): boolean
  /** Ends it by `signal` (default SIGKILL) and keeps it down: an outage. */
  takeDown(signal?: NodeJS.Signals): Promise<void>
  /** Ends an outage. */
  bringUp(): Promise<void>
  /** Stops it for good, cleanly. */
  stop(): Promise<void>
}

/**
 * Watches a server, which is ready, and starts it again when it ends, with a line that says so, until it keeps dying: by its own doing, so many times
 * in a row. It is nobody's own doing to be ended from outside once it was ready, nor to fail while something it needs is down.
 */
export function supervise<S extends Server>(server: S, options: SupervisionOptions): Supervised<S> {
  const { say, onGivenUp, deathsMax = 5, steadyMs = 60_000, backoffMs = 200, needs = [] } = options
  let isWanted = true
  let startedMs = performance.now()
  /** Of the present run; null until it is ready. */
  let readyMs: number | null = startedMs
  let lastDownMs = Number.NEGATIVE_INFINITY
  let own = 0
  let row = 0

  /** Counts a death of the present run. */
  const judge = async (exit: Exit): Promise<void> => {
    // What it needs may have ended in the same turn of the event loop, and before it.
    await nextTurn()
    const isKilled = readyMs !== null && isFromOutside(exit)
    if (isKilled || (readyMs !== null && performance.now() - readyMs >= steadyMs)) {
      own = 0
      row = 0
    }
    if (!isKilled && !needs.some((other) => other.wasDown(startedMs))) own++
    row++
  }
  const watch = async (): Promise<void> => {
    while (isWanted) {
      const exit = await server.exited
      const now = performance.now()
      lastDownMs = now
      await judge(exit)
      readyMs = null
      if (!isWanted) return
      if (own >= deathsMax) {
        onGivenUp(
          new Error(
            `${server.name} keeps dying (${deathsMax} times in a row); its last lines, from ${server.logFile}:\n${server.tail()}`,
          ),
        )
        return
      }
      say(`${server.name} ended (${describeExit(exit)}); starting it again`)
      if (row > 1) await delay(backoffMs * 2 ** Math.min(row - 2, 4))
      if (isWanted) await startAgain(now)
    }
  }
  const start = async (): Promise<void> => {
    startedMs = performance.now()
    await server.restart()
    lastDownMs = performance.now()
    readyMs = lastDownMs
  }
  const startAgain = async (since: number): Promise<void> => {
    try {
      await start()
      say(`${server.name} is ready again after ${((performance.now() - since) / 1000).toFixed(1)} s`)
    } catch (error) {
      // Its end is seen by the watch as one more death; a start that was stopped on purpose is no news.
      if (isWanted) say((error as Error).message.split('\n')[0] ?? '')
    }
  }
  let watching = watch()
  const end = async (how: () => Promise<void>) => {
    isWanted = false
    await how()
    await watching
    // A restart that was under way may have put a new run in place of the one that was ended.
    await how()
  }
  return {
    server,
    wasDown: (sinceMs) => readyMs === null || lastDownMs >= sinceMs,
    takeDown: (signal = 'SIGKILL') => end(() => server.kill(signal)),
    bringUp: async () => {
      isWanted = true
      await start()
      watching = watch()
    },
    stop: () => end(() => server.stop()),
  }
}

/** Whether somebody asked it to end, or killed it, rather than that it failed: a failure has an exit code or a signal of its own. */
function isFromOutside({ code, signal }: Exit): boolean {
  return code === 0 || (signal !== null && ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'].includes(signal))
}
