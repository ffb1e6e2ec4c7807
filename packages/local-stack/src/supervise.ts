import { setTimeout as delay } from 'node:timers/promises'
import { describeExit } from './child.js'
import type { Server } from './server.js'

export interface SupervisionOptions {
  /** Told, in one line, that the server died and that it is back. */
  say: (line: string) => void
  /** Called once when it keeps dying; it is not started again then. */
  onGivenUp: (error: Error) => void
  /** How many deaths within the window end the supervision. Default 5. */
  deathsMax?: number
  /** Default 60,000. */
  windowMs?: number
  /** Pause before the second start in a row; it doubles up to 16-fold. The first start is at once. Default 200. */
  backoffMs?: number
}

/** A server that is started again whenever it dies. */
export interface Supervised<S extends Server = Server> {
  readonly server: S
  /** Ends it by `signal` (default SIGKILL) and keeps it down: an outage. */
  takeDown(signal?: NodeJS.Signals): Promise<void>
  /** Ends an outage. */
  bringUp(): Promise<void>
  /** Stops it for good, cleanly. */
  stop(): Promise<void>
}

/** Watches a server and starts it again when it ends, with a line that says so, until it keeps dying. */
export function supervise<S extends Server>(server: S, options: SupervisionOptions): Supervised<S> {
  const { say, onGivenUp, deathsMax = 5, windowMs = 60_000, backoffMs = 200 } = options
  let isWanted = true
  let deaths: number[] = []

  const watch = async (): Promise<void> => {
    while (isWanted) {
      const exit = await server.exited
      if (!isWanted) return
      const now = Date.now()
      deaths = [...deaths.filter((time) => time > now - windowMs), now]
      if (deaths.length >= deathsMax) {
        const count = `${deathsMax} times within ${windowMs / 1000} s`
        onGivenUp(
          new Error(`${server.name} keeps dying (${count}); its last lines, from ${server.logFile}:\n${server.tail()}`),
        )
        return
      }
      say(`${server.name} ended (${describeExit(exit)}); starting it again`)
      if (deaths.length > 1) await delay(backoffMs * 2 ** Math.min(deaths.length - 2, 4))
      if (isWanted) await startAgain(now)
    }
  }
  const startAgain = async (since: number): Promise<void> => {
    try {
      await server.restart()
      say(`${server.name} is ready again after ${((Date.now() - since) / 1000).toFixed(1)} s`)
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
    takeDown: (signal = 'SIGKILL') => end(() => server.kill(signal)),
    bringUp: async () => {
      isWanted = true
      await server.restart()
      watching = watch()
    },
    stop: () => end(() => server.stop()),
  }
}
