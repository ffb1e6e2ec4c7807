import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { describeExit, type Exit } from './child.js'
import type { Obstacle } from './disk.js'
import type { Server } from './server.js'

export interface SupervisionOptions {
  /** Receives one line when the server dies and one when it is ready again. */
  say: (line: string) => void
  /** Called once when the server keeps dying. It is not restarted after that. */
  onGivenUp: (error: Error) => void
  /** Number of failures in a row that end the supervision. Default 5. */
  deathsMax?: number
  /** A run that was ready for this long resets the number of failures. Default 60,000. */
  steadyMs?: number
  /** Pause before the second restart in a row; it doubles up to 16 times this value. The first restart is immediate. Default 200. */
  backoffMs?: number
  /** Servers that it depends on. An end during an outage of one of them is not a failure. */
  needs?: readonly Supervised[]
  /**
   * Called after each end: a cause that a restart cannot remove, such as a full disk. Such an end is not a failure. The restart waits until the cause is
   * gone, and is tried now and then while it cannot be known.
   */
  findObstacle?: () => Obstacle | undefined
  /** Pause before the first restart with an obstacle; it doubles up to 32 times this value. Default 1,000. */
  obstacleMs?: number
}

/** How often it is checked whether an obstacle is gone, and how often a line says that it is still there, in ms. */
const OBSTACLE_CHECK_MS = 250
const OBSTACLE_LINE_MS = 60_000
const NEVER_HELD = { ends: 0, saidMs: Number.NEGATIVE_INFINITY }

/** A server that is restarted whenever it dies. */
export interface Supervised<S extends Server = Server> {
  readonly server: S
  /** Whether it was not running or not ready at any time since `sinceMs`, by the clock of `performance.now()`. */
  wasDown(sinceMs: number): boolean
  /** Begins an outage: ends the server by `signal` (default SIGKILL) and does not restart it. */
  takeDown(signal?: NodeJS.Signals): Promise<void>
  /** Ends the outage. When the server does not become ready, this rejects, and further restarts are tried. */
  bringUp(): Promise<void>
  /** Shuts the server down cleanly and ends the supervision. */
  stop(): Promise<void>
}

/**
 * Supervises a server that is ready: restarts it when it ends, until it fails too often in a row. An end is no failure when it was caused from outside
 * after the server was ready, or happened while a server that it depends on was down.
 */
export function supervise<S extends Server>(server: S, options: SupervisionOptions): Supervised<S> {
  const { say, onGivenUp, deathsMax = 5, steadyMs = 60_000, backoffMs = 200, needs = [], obstacleMs = 1000 } = options
  let isWanted = true
  let startedMs = performance.now()
  /** When the current run became ready; null before that. */
  let readyMs: number | null = startedMs
  let lastDownMs = Number.NEGATIVE_INFINITY
  let failures = 0
  let restarts = 0
  /** Ends in a row with an obstacle, and when the last line about it was written. */
  let held = NEVER_HELD

  /** Decides whether the end of the current run is a failure. */
  const countEnd = async (exit: Exit, obstacle: Obstacle | undefined): Promise<void> => {
    // A server that it depends on may have ended earlier in the same turn of the event loop.
    await nextTurn()
    const isKilled = readyMs !== null && isFromOutside(exit)
    if (isKilled || (readyMs !== null && performance.now() - readyMs >= steadyMs)) {
      failures = 0
      restarts = 0
    }
    if (readyMs !== null && performance.now() - readyMs >= steadyMs) held = NEVER_HELD
    if (!isKilled && !obstacle && !needs.some((other) => other.wasDown(startedMs))) failures++
    restarts++
  }
  /** Waits until the obstacle is gone, or for a pause that doubles with each end in a row. */
  const waitOut = async (exit: Exit, { reason, isGone }: Obstacle): Promise<void> => {
    if (performance.now() - held.saidMs >= OBSTACLE_LINE_MS) {
      say(`${server.name} ended (${describeExit(exit)}), and ${reason}; it is started again as soon as possible`)
      held = { ...held, saidMs: performance.now() }
    }
    const until = performance.now() + obstacleMs * 2 ** Math.min(held.ends, 5)
    held = { ...held, ends: held.ends + 1 }
    while (isWanted && performance.now() < until && !isGone()) await delay(Math.min(OBSTACLE_CHECK_MS, obstacleMs))
  }
  const watch = async (): Promise<void> => {
    while (isWanted) {
      const exit = await server.exited
      const now = performance.now()
      lastDownMs = now
      const obstacle = options.findObstacle?.()
      await countEnd(exit, obstacle)
      readyMs = null
      if (!isWanted) return
      if (failures >= deathsMax) {
        onGivenUp(
          new Error(
            `${server.name} keeps dying (${deathsMax} times in a row); its last lines, from ${server.logFile}:\n${server.tail()}`,
          ),
        )
        return
      }
      if (obstacle) await waitOut(exit, obstacle)
      else {
        held = NEVER_HELD
        say(`${server.name} ended (${describeExit(exit)}); restarting it`)
        if (restarts > 1) await delay(backoffMs * 2 ** Math.min(restarts - 2, 4))
      }
      if (isWanted) await startAgain(now, obstacle !== undefined)
    }
  }
  const start = async (): Promise<void> => {
    startedMs = performance.now()
    await server.restart()
    lastDownMs = performance.now()
    readyMs = lastDownMs
  }
  const startAgain = async (since: number, isHeld: boolean): Promise<void> => {
    try {
      await start()
      say(`${server.name} is ready again after ${((performance.now() - since) / 1000).toFixed(1)} s`)
    } catch (error) {
      // The loop above counts the end of this run. A start that was stopped on purpose, or that was only a try, is not reported.
      if (isWanted && !isHeld) say((error as Error).message.split('\n')[0] ?? '')
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
      try {
        await start()
      } finally {
        watching = watch()
      }
    },
    stop: () => end(() => server.stop()),
  }
}

/** Whether the process was stopped or killed from outside. A process that fails has another exit code or another signal. */
function isFromOutside({ code, signal }: Exit): boolean {
  return code === 0 || (signal !== null && ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'].includes(signal))
}
