import { describe, expect, it } from '@jest/globals'
import { createLogger } from '@millrace/logger'
import { createMetrics, createResilienceMetrics } from '@millrace/telemetry'
import { createObservedBreaker } from './observed-breaker.js'

describe('an observed circuit breaker', () => {
  it('exports its state from the start, and counts and logs each transition', async () => {
    const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
    let log = ''
    const write = (text: string) => {
      log += text
    }
    const logger = createLogger({ service: 'test', write })
    const clock = { ms: 0 }
    const breaker = createObservedBreaker(
      { name: 'stream events', windowCalls: 2, openMs: 1000 },
      { logger, metrics: createResilienceMetrics(metrics), now: () => clock.ms },
    )
    const exposed = async () => (await metrics.expose()).split('\n').filter((line) => /^millrace_circuit/.test(line))
    expect(await exposed()).toEqual(['millrace_circuit_breaker_state{name="stream events",service="test"} 0'])
    for (let call = 0; call < 2; call++)
      await breaker.execute(() => Promise.reject(new Error('away'))).catch(() => undefined)
    expect(await exposed()).toEqual([
      'millrace_circuit_breaker_state{name="stream events",service="test"} 2',
      'millrace_circuit_breaker_opened_total{name="stream events",service="test"} 1',
    ])
    clock.ms = 1000
    await breaker.execute(() => Promise.resolve())
    expect(await exposed()).toContain('millrace_circuit_breaker_state{name="stream events",service="test"} 1')
    logger.close()
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toMatchObject([
      { level: 'warn', name: 'stream events', from: 'closed', to: 'open' },
      { level: 'info', name: 'stream events', from: 'open', to: 'half_open' },
    ])
  })
})
