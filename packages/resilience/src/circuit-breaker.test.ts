import { describe, expect, it } from '@jest/globals'
import { coreErrors } from '@millrace/contracts'
import { type CircuitBreakerConfig, createCircuitBreaker } from './circuit-breaker.js'

const down = () => Promise.reject(new Error('down'))
const up = () => Promise.resolve('up')

function open(config: Partial<CircuitBreakerConfig> = {}) {
  const clock = { ms: 0 }
  const changes: string[] = []
  const breaker = createCircuitBreaker(
    { name: 'redis', ...config },
    { now: () => clock.ms, onStateChange: ({ from, to }) => void changes.push(`${from} > ${to}`) },
  )
  const run = async (...outcomes: ('up' | 'down')[]) => {
    for (const outcome of outcomes) await breaker.execute(outcome === 'up' ? up : down).catch(() => undefined)
  }
  return {
    breaker,
    clock,
    changes,
    run,
    isRefused: () => breaker.execute(up).then(() => false, coreErrors.DEPENDENCY_CIRCUIT_OPEN.matches),
  }
}

describe('the circuit breaker', () => {
  it('opens at 50 % failures over 10 calls', async () => {
    const { breaker, run, isRefused } = open()
    await run('up', 'up', 'up', 'up', 'up', 'down', 'down', 'down', 'down')
    expect(breaker.state).toBe('closed')
    await run('down')
    expect(breaker.state).toBe('open')
    expect(await isRefused()).toBe(true)
  })

  it('stays closed below 10 calls, even when all fail', async () => {
    const { breaker, run } = open()
    await run(...Array.from({ length: 9 }, () => 'down' as const))
    expect(breaker.state).toBe('closed')
  })

  it('stays closed at 40 % failures, however many calls there are', async () => {
    const { breaker, run } = open()
    for (let i = 0; i < 20; i++) await run('up', 'up', 'down', 'up', 'down')
    expect(breaker.state).toBe('closed')
  })

  it('refuses all calls for 30 s and says when to retry', async () => {
    const { breaker, clock, run } = open()
    await run(...Array.from({ length: 10 }, () => 'down' as const))
    clock.ms = 29_000
    await expect(breaker.execute(up)).rejects.toMatchObject({
      code: 'DEPENDENCY_CIRCUIT_OPEN',
      kind: 'unavailable',
      retryAfterSeconds: 1,
    })
    clock.ms = 30_000
    await expect(breaker.execute(up)).resolves.toBe('up')
    expect(breaker.state).toBe('half_open')
  })

  it('admits exactly 5 trials while half-open, and closes when all of them succeed', async () => {
    const { breaker, clock, changes, run, isRefused } = open()
    await run(...Array.from({ length: 10 }, () => 'down' as const))
    clock.ms = 30_000
    const finish: (() => void)[] = []
    const trials = Array.from({ length: 5 }, () =>
      breaker.execute(() => new Promise<void>((resolve) => finish.push(resolve))),
    )
    expect(finish).toHaveLength(5)
    expect(await isRefused()).toBe(true)
    for (const resolve of finish.slice(0, 4)) resolve()
    await Promise.all(trials.slice(0, 4))
    expect(breaker.state).toBe('half_open')
    finish[4]?.()
    await trials[4]
    expect(breaker.state).toBe('closed')
    expect(changes).toEqual(['closed > open', 'open > half_open', 'half_open > closed'])
  })

  it('refuses no burst that is smaller than the number of trials, after earlier trials have succeeded', async () => {
    const { breaker, clock, run } = open()
    await run(...Array.from({ length: 10 }, () => 'down' as const))
    clock.ms = 30_000
    await run('up', 'up', 'up')
    expect(breaker.state).toBe('half_open')
    const burst = Array.from({ length: 4 }, () => breaker.execute(up))
    await expect(Promise.all(burst)).resolves.toEqual(['up', 'up', 'up', 'up'])
    expect(breaker.state).toBe('closed')
  })

  it('opens for another 30 s when one trial fails', async () => {
    const { breaker, clock, run, isRefused } = open()
    await run(...Array.from({ length: 10 }, () => 'down' as const))
    clock.ms = 30_000
    await run('up', 'up', 'down')
    expect(breaker.state).toBe('open')
    clock.ms = 59_999
    expect(await isRefused()).toBe(true)
    clock.ms = 60_000
    expect(await isRefused()).toBe(false)
  })

  it('begins a new round when trials never end, and ignores their late results', async () => {
    const { breaker, clock, run } = open()
    await run(...Array.from({ length: 10 }, () => 'down' as const))
    clock.ms = 30_000
    const rejects: ((error: Error) => void)[] = []
    const stuck = Array.from({ length: 5 }, () =>
      breaker.execute(() => new Promise((_resolve, reject) => rejects.push(reject))).catch(() => undefined),
    )
    clock.ms = 60_000
    await run('up', 'up', 'up', 'up')
    for (const reject of rejects) reject(new Error('late'))
    await Promise.all(stuck)
    await run('up')
    expect(breaker.state).toBe('closed')
  })

  it('begins the trials as soon as a probe succeeds, probes at most once per second, and says when to retry', async () => {
    let isBack = false
    const probed: unknown[] = []
    const probe = async (error: unknown) => {
      probed.push(error)
      if (!isBack) throw new Error('still down')
    }
    const { breaker, clock, run, changes } = open({ probe })
    await run(...Array.from({ length: 10 }, () => 'down' as const))
    await expect(breaker.execute(up)).rejects.toMatchObject({ retryAfterSeconds: 1 })
    expect(probed).toEqual([])
    clock.ms = 1000
    await run('up', 'up', 'up')
    expect(probed).toEqual([new Error('down')])
    isBack = true
    clock.ms = 2000
    await run('up')
    expect(probed).toHaveLength(2)
    await run('up', 'up', 'up', 'up', 'up')
    expect(changes).toEqual(['closed > open', 'open > half_open', 'half_open > closed'])
  })

  it('ignores the result of a probe of an earlier round', async () => {
    const answers: (() => void)[] = []
    const { breaker, clock, run } = open({ probe: () => new Promise<void>((resolve) => answers.push(resolve)) })
    await run(...Array.from({ length: 10 }, () => 'down' as const))
    clock.ms = 1000
    await run('up')
    clock.ms = 30_000
    await run('down')
    answers[0]?.()
    await Promise.resolve()
    expect(breaker.state).toBe('open')
  })

  it('does not count calls that the dependency rejects', async () => {
    const { breaker } = open()
    for (let i = 0; i < 20; i++)
      await breaker.execute(() => Promise.reject(coreErrors.INVALID_REQUEST())).catch(() => undefined)
    expect(breaker.state).toBe('closed')
  })
})
