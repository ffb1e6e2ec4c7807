import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from '@jest/globals'
import { createLogger } from '@millrace/logger'
import { waitFor } from '@millrace/testing'
import { type PeriodicTaskConfig, type PeriodicWork, startPeriodicTask } from './periodic-task.js'

const HOUR = 3_600_000

function start(config: Omit<PeriodicTaskConfig, 'name'>, work: PeriodicWork) {
  const lines: { level: string; message: string; task: string }[] = []
  const logger = createLogger({
    service: 'test',
    flushMs: 0,
    write: (text) => {
      for (const line of text.trim().split('\n')) lines.push(JSON.parse(line))
    },
  })
  const [task, stop] = startPeriodicTask({ name: 'test task', ...config }, work, { logger })
  return {
    task,
    stop,
    log: () => {
      logger.close()
      return lines.map(({ level, message, task: name }) => [level, message, name])
    },
  }
}

describe('a periodic task', () => {
  it('runs at once and again after each period, one run at a time', async () => {
    let running = 0
    let runs = 0
    const { stop } = start({ periodMs: 1 }, async () => {
      expect(running++).toBe(0)
      await new Promise((resolve) => setTimeout(resolve, 3))
      running--
      runs++
    })
    expect(running).toBe(1)
    await waitFor(() => runs >= 3)
    await stop()
    expect(running).toBe(0)
  })

  it('logs the first failure in a row and the recovery, and goes on after a failure', async () => {
    const outcomes = ['fails', 'fails', 'works', 'works', 'fails']
    const { stop, log } = start({ periodMs: 1 }, () => {
      if (outcomes.shift() === 'fails') throw new Error('away')
    })
    await waitFor(() => outcomes.length === 0)
    await stop()
    expect(log().slice(0, 3)).toEqual([
      ['warn', 'a periodic task failed; it runs again after its period', 'test task'],
      ['info', 'a periodic task works again', 'test task'],
      ['warn', 'a periodic task failed; it runs again after its period', 'test task'],
    ])
  })

  it('aborts its run when it stops, and does not call that a failure', async () => {
    const { stop, log } = start({ periodMs: 1 }, async (signal) => {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    await stop()
    expect(log()).toEqual([])
  })

  it('runs once more when it stops and must leave nothing unwritten', async () => {
    let runs = 0
    const { stop } = start({ periodMs: HOUR, runsAtStart: false, runsAtEnd: true }, () => void runs++)
    expect(runs).toBe(0)
    await stop()
    expect(runs).toBe(1)
  })

  it('begins its next run sooner when asked, in its own async context', async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: (string | undefined)[] = []
    const { task, stop } = start({ periodMs: HOUR }, () => void seen.push(context.getStore()))
    for (const runs of [2, 3]) {
      context.run('of the caller', () => task.runSoon())
      await waitFor(() => seen.length === runs)
    }
    await stop()
    expect(seen).toEqual([undefined, undefined, undefined])
  })

  it('rests as long as its last run took, however often it is asked', async () => {
    const times: number[] = []
    const { task, stop } = start({ periodMs: HOUR }, async () => {
      times.push(performance.now())
      await new Promise((resolve) => setTimeout(resolve, 30))
      task.runSoon()
    })
    await waitFor(() => times.length === 2)
    await stop()
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThan(55)
  })
})
