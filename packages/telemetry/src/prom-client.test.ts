import { describe, expect, it } from '@jest/globals'
import * as prom from 'prom-client'

/** metric-families.ts relies on these; each failure here says what to change there. */
describe('prom-client', () => {
  it('asks a registered object for its series by get, as createHistogramMetric needs', async () => {
    const registry = new prom.Registry()
    const values = [{ labels: { le: 1 }, value: 3, metricName: 'a_bucket' }]
    const metric = { name: 'a', get: async () => ({ name: 'a', help: 'b', type: 'histogram', values }) }
    registry.registerMetric(metric as unknown as prom.Histogram)
    const text = await registry.metrics().catch((error: Error) => error.message)
    if (!text.includes('# TYPE a histogram\na_bucket{le="1"} 3'))
      throw new Error(
        `prom-client no longer calls get() of a registered object: give createHistogramMetric in metric-families.ts what it calls now. It answered: ${text}`,
      )
    expect(text).toContain('# HELP a b')
  })

  it.each([
    ['counter', prom.Counter, 'createCounter'],
    ['gauge', prom.Gauge, 'createGauge'],
  ] as const)('calls collect of a %s at each scrape, with the metric as this', async (type, Metric, user) => {
    const registry = new prom.Registry()
    let isCalled = false
    new Metric({
      name: 'a',
      help: 'b',
      registers: [registry],
      collect() {
        isCalled = true
        this.reset()
        this.inc(2)
      },
    })
    const text = await registry.metrics()
    if (!isCalled || !text.includes('\na 2'))
      throw new Error(
        `prom-client no longer calls collect of a ${type} at a scrape: change ${user} in metric-families.ts`,
      )
    expect(text).toContain(`# TYPE a ${type}`)
  })
})
