/** A JSON object. */
type Json = Readonly<Record<string, unknown>>

const view = (userId: string, timestamp: string, properties: Json): Json => ({
  type: 'track',
  event: 'Product Viewed',
  userId,
  timestamp,
  properties,
})
const order = (userId: string, timestamp: string, revenue: number, country: string): Json => ({
  type: 'track',
  event: 'Order Completed',
  userId,
  timestamp,
  properties: { revenue, country },
})
const login = (userId: string, timestamp: string, userAgent: string, properties: Json): Json => ({
  type: 'track',
  event: '$login',
  userId,
  timestamp,
  properties,
  context: { userAgent },
})

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const CHROME =
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36'

const onVisit = (event: string, timestamp: string, properties: Json): Json => ({
  type: 'track',
  event,
  userId: 'u1',
  timestamp,
  properties: { session_id: 'visit-7', ...properties },
  context: { userAgent: FIREFOX, ip: '192.0.2.7' },
})

/** The events behind the examples of the OpenAPI document: Monday to Wednesday for queries, Thursday for lists. */
export const sampleEvents: readonly Json[] = [
  login('u1', '2026-11-16T08:58:00.000Z', FIREFOX, { method: 'email', success: true }),
  view('u1', '2026-11-16T09:00:00.000Z', { category: 'books', load_ms: 120 }),
  view('u2', '2026-11-16T09:05:00.000Z', { category: 'books', load_ms: 90 }),
  order('u1', '2026-11-16T09:20:00.000Z', 40, 'DE'),
  view('u3', '2026-11-16T10:00:00.000Z', { category: 'toys', load_ms: 300 }),
  login('u2', '2026-11-16T11:00:00.000Z', CHROME, {
    method: 'google',
    success: false,
    failure_reason: 'wrong password',
  }),
  login('u2', '2026-11-16T11:01:00.000Z', CHROME, { method: 'google', success: true }),
  order('u2', '2026-11-16T11:05:00.000Z', 20, 'US'),
  view('u1', '2026-11-17T09:00:00.000Z', { category: 'toys', load_ms: 150 }),
  order('u1', '2026-11-17T09:30:00.000Z', 60, 'DE'),
  view('u2', '2026-11-18T14:00:00.000Z', { category: 'books', load_ms: 200 }),
  onVisit('$session_start', '2026-11-19T08:00:00.000Z', {}),
  {
    ...onVisit('$activity', '2026-11-19T08:05:00.000Z', {
      action: 'refunded',
      entity_type: 'order',
      entity_id: 'order-41',
      metadata: { amount: 20 },
    }),
    messageId: 'refund-41',
  },
  onVisit('$session_end', '2026-11-19T08:30:00.000Z', { reason: 'logout' }),
]

/** Monday to Wednesday. */
export const SAMPLE_RANGE = { from: '2026-11-16T00:00:00Z', to: '2026-11-19T00:00:00Z' } as const
