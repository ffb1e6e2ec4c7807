import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { findChromium, runInChromium, startTestStack } from '@millrace/testing'

const { resolve } = createRequire(import.meta.url)
/** The published builds for pages without a bundler. */
const FOLDERS = {
  segment: dirname(resolve('@segment/analytics-next/dist/umd/index.js')),
  rudder: join(dirname(resolve('@rudderstack/analytics-js/legacy-bundled')), '../umd'),
}

interface StoredEvent {
  readonly event: string
  readonly user_id: string | null
  readonly anonymous_id: string | null
  readonly properties: Record<string, unknown> | null
  readonly context: Record<string, unknown>
}

/** What pages do in common: `gateway`, `writeKey`, and `stored(n)`, which waits until n events are stored and returns all of them. */
function common({ url, writeKey, adminKey }: { url: string; writeKey: string; adminKey: string }): string {
  return `
const gateway = ${JSON.stringify(url)}
const writeKey = ${JSON.stringify(writeKey)}
const plainFetch = window.fetch.bind(window)
async function stored(count, query) {
  for (;;) {
    const response = await plainFetch(gateway + '/api/v1/events?limit=1000&' + query, {
      headers: { authorization: 'Bearer ${adminKey}' },
    })
    const { data } = await response.json()
    if (data.length >= count) return data
  }
}
`
}

/** Adds to each request what Sentry, Datadog and OpenTelemetry add. */
const TRACING = `
window.fetch = (input, init = {}) => plainFetch(input, { ...init, headers: {
  ...init.headers, baggage: 'sentry-release=1', 'sentry-trace': '0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'dd=s:1',
  'x-datadog-trace-id': '1', 'x-datadog-parent-id': '2', 'x-datadog-origin': 'rum', 'x-datadog-sampling-priority': '1',
} })
`

const SEGMENT = `
const { AnalyticsBrowser } = window.AnalyticsNext
const load = (options = {}) => AnalyticsBrowser.load({ writeKey, cdnURL: gateway }, { user: { persist: false }, ...options })
`

const chromium = findChromium()
const describeInChromium = chromium === undefined ? describe.skip : describe

describeInChromium('the official SDKs for browsers, unmodified, in a page of another origin', () => {
  let stack: Awaited<ReturnType<typeof startTestStack>>
  let start: string

  beforeAll(async () => {
    stack = await startTestStack()
    start = common(stack)
  })
  afterAll(() => stack?.stop())

  async function open(page: Omit<Parameters<typeof runInChromium>[1], 'folders' | 'scripts'>): Promise<StoredEvent[]> {
    const said = await runInChromium(chromium as string, {
      ...page,
      scripts: ['/segment/index.js', '/rudder/index.js'],
      folders: FOLDERS,
    })
    expect(said).not.toHaveProperty('failed')
    return said as StoredEvent[]
  }
  const byName = (events: StoredEvent[]) => Object.fromEntries(events.map((event) => [event.event, event]))

  it('@segment/analytics-next stores every call, with the headers of tracing libraries', async () => {
    const events = byName(
      await open({
        script: `${start}${TRACING}${SEGMENT}
const analytics = load()
await analytics.page('Docs', 'Start', { section: 'a' })
await analytics.identify('seg-1', { plan: 'pro' })
await analytics.track('Segment Ordered', { revenue: 12.5, items: [{ sku: 'a' }] })
await analytics.group('company-1', { seats: 3 })
await analytics.alias('seg-2', 'seg-0')
await analytics.reset()
await analytics.track('Segment After Reset')
const list = await stored(6, '')
await report(list)`,
      }),
    )
    const { $page, $identify, $group, $alias } = events
    const before = $page?.anonymous_id
    expect(before).toMatch(/^[0-9a-f-]{36}$/)
    expect($page).toMatchObject({ user_id: null, properties: { category: 'Docs', name: 'Start', section: 'a' } })
    expect($page?.properties).toHaveProperty('url')
    expect($identify).toMatchObject({ user_id: 'seg-1', anonymous_id: before, properties: { plan: 'pro' } })
    expect(events['Segment Ordered']).toMatchObject({
      user_id: 'seg-1',
      anonymous_id: before,
      properties: { revenue: 12.5, items: [{ sku: 'a' }] },
      context: { library: { name: 'analytics.js' }, userAgent: expect.stringContaining('Chrome') },
    })
    expect($group).toMatchObject({ user_id: 'seg-1', properties: { groupId: 'company-1', seats: 3 } })
    // This SDK sends the user who is logged in with every event, also with alias.
    expect($alias).toMatchObject({ user_id: 'seg-1', properties: { previousId: 'seg-0' } })
    const last = events['Segment After Reset']
    expect(last?.user_id).toBeNull()
    expect(last?.anonymous_id).not.toBe(before)
  })

  it.each([
    ['with credentials', "credentials: 'include', keepalive: true"],
    ['without credentials', 'keepalive: true'],
  ])('@segment/analytics-next stores the batch that it sends when the page is left, %s', async (name, config) => {
    const event = `Left ${name}`
    const events = await open({
      script: `${start}${SEGMENT}
const analytics = load({ integrations: { 'Segment.io': {
  deliveryStrategy: { strategy: 'batching', config: { size: 100, timeout: 3_600_000, ${config} } } } } })
for (let i = 0; i < 3; i++) await analytics.track('${event}', { i })
location.href = '/next'`,
      pages: { '/next': `${start} await report(await stored(3, 'event=${encodeURIComponent(event)}'))` },
    })
    expect(new Set(events.map(({ properties }) => properties?.i))).toEqual(new Set([0, 1, 2]))
  })

  it('@rudderstack/analytics-js stores every call', async () => {
    const events = byName(
      await open({
        script: `${start}
const { RudderAnalytics } = window.rudderanalytics
const analytics = new RudderAnalytics()
analytics.load(writeKey, gateway, { configUrl: gateway, storage: { type: 'memoryStorage' } })
await new Promise((resolve) => analytics.ready(resolve))
analytics.page('Docs', 'Rudder Start', { section: 'b' })
analytics.identify('rud-1', { plan: 'pro' })
analytics.track('Rudder Ordered', { revenue: 7.5 })
analytics.group('company-2', { seats: 4 })
analytics.alias('rud-2', 'rud-1')
analytics.reset(true)
analytics.track('Rudder After Reset')
const wanted = (event) => JSON.stringify(event).includes('RudderLabs JavaScript SDK')
let list = []
while (list.length < 6) list = (await stored(6, '')).filter(wanted)
await report(list)`,
      }),
    )
    const before = events.$page?.anonymous_id
    expect(before).toMatch(/^[0-9a-f-]{36}$/)
    expect(events.$page).toMatchObject({ properties: { category: 'Docs', name: 'Rudder Start', section: 'b' } })
    expect(events.$identify).toMatchObject({ user_id: 'rud-1', anonymous_id: before })
    expect(events['Rudder Ordered']).toMatchObject({
      user_id: 'rud-1',
      anonymous_id: before,
      properties: { revenue: 7.5 },
      context: { library: { name: 'RudderLabs JavaScript SDK' }, userAgent: expect.stringContaining('Chrome') },
    })
    expect(events.$group).toMatchObject({ user_id: 'rud-1', properties: { groupId: 'company-2', seats: 4 } })
    expect(events.$alias).toMatchObject({ user_id: 'rud-2', properties: { previousId: 'rud-1' } })
    expect(events['Rudder After Reset']?.anonymous_id).not.toBe(before)
  })

  it('@rudderstack/analytics-js stores the beacons that it sends when the page is left', async () => {
    const events = await open({
      script: `${start}
const analytics = new window.rudderanalytics.RudderAnalytics()
analytics.load(writeKey, gateway, { configUrl: gateway, useBeacon: true, beaconQueueOptions: { flushQueueInterval: 3_600_000 } })
await new Promise((resolve) => analytics.ready(resolve))
for (let i = 0; i < 3; i++) analytics.track('Beacon Sent', { i })
location.href = '/next'`,
      pages: { '/next': `${start} await report(await stored(3, 'event=Beacon%20Sent'))` },
    })
    expect(new Set(events.map(({ properties }) => properties?.i))).toEqual(new Set([0, 1, 2]))
  })

  it('a beacon of type application/json, which browsers send with credentials, and pixels are stored', async () => {
    const events = await open({
      script: `${start}
const event = (name) => ({ userId: 'plain', event: name, writeKey })
const body = JSON.stringify({ batch: [event('Json Beacon')], writeKey })
navigator.sendBeacon(gateway + '/v1/batch', new Blob([body], { type: 'application/json' }))
navigator.sendBeacon(gateway + '/v1/track', new URLSearchParams({ data: JSON.stringify(event('Form Beacon')) }))
const show = (address) => new Promise((resolve, reject) => {
  const image = new Image()
  image.onload = () => resolve(image.naturalWidth)
  image.onerror = () => reject(new Error('the image is broken: ' + address))
  image.src = gateway + address
})
await show('/v1/pixel/track?data=' + encodeURIComponent(btoa(JSON.stringify(event('Segment Pixel')))))
await show('/pixel/v1/track?writeKey=' + writeKey + '&userId=plain&event=Rudder+Pixel')
await show('/v1/pixel/track?writeKey=unknown&userId=plain&event=Refused')
await report(await stored(4, 'user_id=plain'))`,
    })
    expect(events.map(({ event }) => event).sort()).toEqual([
      'Form Beacon',
      'Json Beacon',
      'Rudder Pixel',
      'Segment Pixel',
    ])
  })
})
