import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startTestStack, waitFor } from '@millrace/testing'
import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import { Analytics } from '@segment/analytics-node'

const EVENTS = 10_000

interface Ledger {
  streams: {
    stream: string
    tenant: string
    accepted: number
    stored: number
    duplicate: number
    rejected: number
    dead_lettered: number
    in_flight: number
    balanced: boolean
  }[]
}

describe('the official clients, unmodified', () => {
  let stack: Awaited<ReturnType<typeof startTestStack>>

  beforeAll(async () => {
    stack = await startTestStack()
  })
  afterAll(() => stack?.stop())

  async function get<T>(path: string): Promise<T> {
    const response = await fetch(`${stack.url}${path}`, { headers: { authorization: `Bearer ${stack.adminKey}` } })
    expect(response.status).toBe(200)
    return (await response.json()) as T
  }

  async function settledAt(accepted: number): Promise<Ledger['streams'][number]> {
    const settled = async () => {
      const { streams } = await get<Ledger>('/api/v1/ledger')
      const events = streams.find((entry) => entry.stream === 'events' && entry.tenant === 'default')
      return events !== undefined && events.accepted >= accepted && events.in_flight === 0 ? events : undefined
    }
    let last: Ledger['streams'][number] | undefined
    await waitFor(
      async () => {
        last = await settled()
        return last !== undefined
      },
      { deadlineMs: 120_000 },
    )
    return last as Ledger['streams'][number]
  }

  it(`@segment/analytics-node delivers ${EVENTS} events, each counted once`, async () => {
    const analytics = new Analytics({
      writeKey: stack.writeKey,
      host: stack.url,
      flushAt: 100,
      flushInterval: 200,
      maxRetries: 3,
      httpRequestTimeout: 60_000,
    })
    const failures: unknown[] = []
    analytics.on('error', (error) => failures.push(error))
    for (let i = 0; i < EVENTS; i++) {
      const userId = `segment-${i % 500}`
      if (i % 10 === 0) analytics.identify({ userId, traits: { plan: 'pro' } })
      else if (i % 10 === 1) analytics.page({ userId, name: 'Home', properties: { url: '/' } })
      else analytics.track({ userId, event: 'Ordered', properties: { value: i } })
    }
    await analytics.closeAndFlush({ timeout: 120_000 })
    expect(failures).toEqual([])
    expect(await settledAt(EVENTS)).toMatchObject({
      accepted: EVENTS,
      stored: EVENTS,
      duplicate: 0,
      rejected: 0,
      dead_lettered: 0,
      balanced: true,
    })
  })

  it(`@rudderstack/rudder-sdk-node delivers ${EVENTS} events, each counted once`, async () => {
    const rudder = new RudderAnalytics(stack.writeKey, {
      dataPlaneUrl: stack.url,
      flushAt: 100,
      flushInterval: 200,
      maxInternalQueueSize: EVENTS,
    })
    const delivered: Promise<void>[] = []
    for (let i = 0; i < EVENTS; i++) {
      const userId = `rudder-${i % 500}`
      delivered.push(
        new Promise<void>((resolve, reject) => {
          const settle = (error?: Error) => (error ? reject(error) : resolve())
          if (i % 10 === 0) rudder.identify({ userId, traits: { plan: 'pro' } }, settle)
          else if (i % 10 === 1) rudder.page({ userId, name: 'Home' }, settle)
          else rudder.track({ userId, event: 'Ordered', properties: { value: i } }, settle)
        }),
      )
      // With every event it takes in, this client writes its whole queue as JSON to measure it: a long queue would take minutes.
      if (i % 100 === 99) await rudder.flush()
    }
    await rudder.flush()
    await Promise.all(delivered)
    expect(await settledAt(2 * EVENTS)).toMatchObject({
      accepted: 2 * EVENTS,
      stored: 2 * EVENTS,
      duplicate: 0,
      rejected: 0,
      dead_lettered: 0,
      balanced: true,
    })
    const page = await get<{ data: { event: string; properties: { value: number } }[] }>(
      '/api/v1/users/rudder-7/timeline?limit=1000',
    )
    expect(page.data.length).toBe(EVENTS / 500)
    expect(page.data.every(({ event }) => event === 'Ordered')).toBe(true)
  })
})
