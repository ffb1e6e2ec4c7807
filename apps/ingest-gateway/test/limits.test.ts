import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parseConfig } from '@millrace/service'
import { startTestStack } from '@millrace/testing'
import { configSchema } from '../src/config.js'

const { EVENT_BYTES_MAX, EVENT_KEYS_MAX, EVENT_DEPTH_MAX, ...config } = parseConfig(configSchema, {
  DATABASE_URL: 'postgres://x',
  STREAM_REDIS_URL: 'redis://x',
})
const { EVENTS_PER_REQUEST_MAX, SEGMENT_BODY_BYTES_MAX, EVENTS_BODY_BYTES_MAX } = config
/** Bytes of ids and names. */
const TEXT_BYTES_MAX = 255

interface Event {
  messageId: string
  event: string
  userId: string
  properties?: Record<string, unknown>
}

const create = (id: string, properties?: Record<string, unknown>): Event => ({
  messageId: id,
  event: 'At the limit',
  userId: id,
  ...(properties && { properties }),
})

function withBytes(id: string, bytes: number): Event {
  const event = create(id, { text: '' })
  return create(id, { text: 'x'.repeat(bytes - JSON.stringify(event).length) })
}

/** Numbers in few characters, of which PostgreSQL writes out every digit: 310 bytes for 6. */
function withLongNumbers(id: string, bytes: number): string {
  const [head, tail] = JSON.stringify(create(id, { n: [] })).split('[]') as [string, string]
  const numbers = Math.floor((bytes - head.length - tail.length - 2) / 7)
  return `${head}[${Array(numbers).fill('1e-307').join(',')}]${tail}`
}

/** The members of the event itself are keys too. */
const withKeys = (id: string, keys: number) =>
  create(id, Object.fromEntries(Array.from({ length: keys - 4 }, (_, i) => [`k${i}`, i])))

/** The event is the first level, its properties the second. */
function withDepth(id: string, depth: number): Event {
  let value: unknown = 1
  for (let level = 2; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value }
  return create(id, { a: value })
}

/** An order as Segment's specification for e-commerce describes it. */
const order = (products: number) =>
  create('order', {
    order_id: '50314b8e9bcf000000000000',
    currency: 'USD',
    products: Array.from({ length: products }, (_, i) => ({
      product_id: `507f1f77bcf86cd79943${i}`,
      sku: `45790-${i}`,
      name: 'Monopoly: 3rd Edition',
      brand: 'Hasbro',
      category: 'Games',
      variant: '200 pieces',
      price: 19,
      quantity: 1,
      coupon: 'MAYDEALS',
      position: i,
      url: `https://www.example.com/product/path/${i}`,
      image_url: `https://www.example.com/product/path/${i}.jpg`,
    })),
  })

interface Answer {
  readonly accepted?: number
  readonly code?: string
  readonly detail?: string
  readonly rejected?: readonly { readonly index: number; readonly code: string; readonly reason: string }[]
}

describe('the limits of a running stack with the default settings', () => {
  let stack: Awaited<ReturnType<typeof startTestStack>>

  beforeAll(async () => {
    stack = await startTestStack()
  })
  afterAll(() => stack?.stop())

  async function post(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
    const response = await fetch(`${stack.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.writeKey}`, ...headers },
      body,
    })
    return { status: response.status, body: (await response.json()) as Answer }
  }

  async function stored(messageId: string): Promise<{ properties: unknown; user_id: string }[]> {
    const response = await fetch(`${stack.url}/api/v1/events?message_id=${encodeURIComponent(messageId)}`, {
      headers: { authorization: `Bearer ${stack.adminKey}` },
    })
    const text = await response.text()
    expect([response.status, response.status === 200 ? '' : text]).toEqual([200, ''])
    return (JSON.parse(text) as { data: { properties: unknown; user_id: string }[] }).data
  }

  it.each([
    ['bytes', EVENT_BYTES_MAX, withBytes, 'event_too_large', 'EVENT_BYTES_MAX'],
    ['keys', EVENT_KEYS_MAX, withKeys, 'too_many_keys', 'EVENT_KEYS_MAX'],
    ['levels', EVENT_DEPTH_MAX, withDepth, 'nested_too_deep', 'EVENT_DEPTH_MAX'],
  ])(
    'store an event with as many %s as allowed (%d), and reject one more with the reason',
    async (name, limit, make, code, setting) => {
      const [fits, exceeds] = [make(`${name} fit`, limit), make(`${name} exceed`, limit + 1)]
      const { body } = await post('/v1/events?wait=stored', JSON.stringify([fits, exceeds]))
      expect(body).toMatchObject({ accepted: 1, outcome: { stored: 1, dead_lettered: 0 } })
      expect(body.rejected).toMatchObject([{ index: 1, code, messageId: exceeds.messageId }])
      for (const text of [`${limit} `, `${limit + 1} `, setting]) expect(body.rejected?.[0]?.reason).toContain(text)
      expect((await stored(fits.messageId))[0]?.properties).toEqual(fits.properties)
    },
  )

  it.each(['messageId', 'userId', 'event'] as const)(
    'store a %s of 255 bytes, and reject one of 256 with the reason',
    async (field) => {
      const text = (length: number) => `${field} ${'é'.repeat(length)}`.slice(0, length)
      const make = (bytes: number) => {
        const half = text(Math.floor((bytes + field.length + 1) / 2))
        return {
          ...create(`text of ${field}`),
          [field]: half.padEnd(half.length + bytes - Buffer.byteLength(half), 'x'),
        }
      }
      const [fits, exceeds] = [make(TEXT_BYTES_MAX), { ...make(TEXT_BYTES_MAX + 1) }]
      const { body } = await post('/v1/events?wait=stored', JSON.stringify([fits, exceeds]))
      expect(body).toMatchObject({ accepted: 1, outcome: { stored: 1 } })
      expect(body.rejected?.[0]?.reason).toContain('at most 255 bytes, not 256')
      expect(await stored(fits.messageId)).toMatchObject([{ user_id: fits.userId, event: fits.event }])
    },
  )

  it('store an event of the largest size whose numbers PostgreSQL writes out in full, and list it', async () => {
    const event = withLongNumbers('long numbers', EVENT_BYTES_MAX)
    expect(event.length).toBeGreaterThan(EVENT_BYTES_MAX - 10)
    const { body } = await post('/v1/events?wait=stored', event)
    expect(body).toMatchObject({ accepted: 1, outcome: { stored: 1 } })
    expect((await stored('long numbers'))[0]?.properties).toEqual(JSON.parse(event).properties)
  })

  it('store a cart of 100 products and an event of 40 KB', async () => {
    for (const event of [order(100), withBytes('40 KB', 40_000)]) {
      const { body } = await post('/v1/batch', JSON.stringify({ batch: [event] }))
      expect(body).toMatchObject({ accepted: 1, rejected: [] })
    }
  })

  it.each([
    ['/v1/batch', SEGMENT_BODY_BYTES_MAX, 'SEGMENT_BODY_BYTES_MAX'],
    ['/v1/events', EVENTS_BODY_BYTES_MAX, 'EVENTS_BODY_BYTES_MAX'],
  ])(
    'store a body of %s of as many bytes as allowed (%d), also compressed, and refuse one more with the reason',
    async (path, limit, setting) => {
      const body = (id: string, bytes: number) => {
        const events: Event[] = []
        // Large events, so that the body is near its limit long before the number of events is.
        for (let i = 0; i < Math.floor(limit / EVENT_BYTES_MAX) - 1; i++)
          events.push(withBytes(`${path} ${id} ${i}`, EVENT_BYTES_MAX))
        return JSON.stringify({ batch: events }).padEnd(bytes, ' ')
      }
      const [plain, packed] = [body('plain', limit), gzipSync(body('packed', limit))]
      const count = JSON.parse(plain).batch.length as number
      expect((await post(path, plain)).body).toMatchObject({ accepted: count, rejected: [] })
      const gzip = { 'content-encoding': 'gzip' }
      expect((await post(path, packed, gzip)).body).toMatchObject({ accepted: count, rejected: [] })
      const over = await post(path, body('over', limit + 1))
      expect([over.status, over.body.code]).toEqual([413, 'BODY_TOO_LARGE'])
      for (const text of [`${limit} `, `${limit + 1} bytes`, setting]) expect(over.body.detail).toContain(text)
      const packedOver = await post(path, gzipSync(body('over', limit + 1)), gzip)
      expect(packedOver.body).toMatchObject({ code: 'BODY_TOO_LARGE', detail: expect.stringContaining(setting) })
    },
  )

  it(`store ${EVENTS_PER_REQUEST_MAX} events of one request, and refuse one more with the reason`, async () => {
    const events = (id: string, count: number) =>
      JSON.stringify(Array.from({ length: count }, (_, i) => create(`${id} ${i}`)))
    const fits = await post('/v1/events?wait=stored', events('many', EVENTS_PER_REQUEST_MAX))
    expect(fits.body).toMatchObject({ accepted: EVENTS_PER_REQUEST_MAX, rejected: [] })
    const over = await post('/v1/events', events('more', EVENTS_PER_REQUEST_MAX + 1))
    expect([over.status, over.body.code]).toEqual([413, 'BATCH_TOO_LARGE'])
    expect(over.body.detail).toContain(`at most ${EVENTS_PER_REQUEST_MAX} events (EVENTS_PER_REQUEST_MAX)`)
  })
})
