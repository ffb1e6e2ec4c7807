import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startTestStack } from '@millrace/testing'
import { CloudEvent, emitterFor, httpTransport, Mode } from 'cloudevents'

interface StoredEvent {
  message_id: string
  event: string
  user_id: string | null
  anonymous_id: string | null
  timestamp: string
  properties: unknown
  context: { cloudevents: Record<string, unknown> }
}

const time = new Date(Date.now() - 60_000).toISOString()

describe('the cloudevents package, unmodified', () => {
  let stack: Awaited<ReturnType<typeof startTestStack>>

  beforeAll(async () => {
    stack = await startTestStack()
  })
  afterAll(() => stack?.stop())

  const event = (id: string) =>
    new CloudEvent({
      id,
      source: '/shop/orders',
      type: 'com.example.order.completed',
      time,
      subject: `order-${id}`,
      userid: `user-${id}`,
      region: 'eu',
      data: { revenue: 39.9, items: ['a', 'b'] },
    })

  /** Waits for the commit, so the stored event can be read at once. */
  const sink = () => `${stack.url}/v1/cloudevents?wait=stored`
  const headers = () => ({ authorization: `Bearer ${stack.writeKey}` })

  async function readStored(id: string): Promise<StoredEvent> {
    const response = await fetch(`${stack.url}/api/v1/events?message_id=${encodeURIComponent(`/shop/orders ${id}`)}`, {
      headers: { authorization: `Bearer ${stack.adminKey}` },
    })
    const { data } = (await response.json()) as { data: StoredEvent[] }
    expect(data.length).toBe(1)
    return data[0] as StoredEvent
  }

  const expected = (id: string) => ({
    message_id: `/shop/orders ${id}`,
    event: 'com.example.order.completed',
    user_id: `user-${id}`,
    timestamp: time,
    properties: { revenue: 39.9, items: ['a', 'b'] },
    context: { cloudevents: { id, source: '/shop/orders', subject: `order-${id}`, region: 'eu' } },
  })
  const stored = (counts: object) => ({
    success: true,
    rejected: [],
    outcome: expect.objectContaining({ state: 'settled', ...counts }),
  })

  it.each([
    ['binary', Mode.BINARY],
    ['structured', Mode.STRUCTURED],
  ])(
    'delivers an event in %s mode, which is stored with all its attributes, and once when sent twice',
    async (id, mode) => {
      const emit = emitterFor(httpTransport(sink()), { mode })
      const send = async () =>
        JSON.parse(((await emit(event(id), { headers: headers() })) as { body: string }).body) as unknown
      expect(await send()).toMatchObject(stored({ stored: 1, duplicate: 0 }))
      expect(await readStored(id)).toMatchObject(expected(id))
      expect(await send()).toMatchObject(stored({ stored: 0, duplicate: 1 }))
    },
  )

  it('delivers a batch, whose events are stored with all their attributes', async () => {
    const response = await fetch(sink(), {
      method: 'POST',
      headers: { ...headers(), 'content-type': 'application/cloudevents-batch+json' },
      body: JSON.stringify([event('batch-1'), event('batch-2')]),
    })
    expect(await response.json()).toMatchObject(stored({ stored: 2, duplicate: 0 }))
    for (const id of ['batch-1', 'batch-2']) expect(await readStored(id)).toMatchObject(expected(id))
  })

  it('delivers binary data in both modes, which is stored as base64', async () => {
    const bytes = new Uint8Array([0, 1, 2, 255])
    for (const mode of [Mode.BINARY, Mode.STRUCTURED] as const) {
      const id = `bytes-${mode}`
      const binary = event(id).cloneWith({ datacontenttype: 'application/octet-stream', data: bytes })
      await emitterFor(httpTransport(sink()), { mode })(binary, { headers: headers() })
      expect((await readStored(id)).properties).toEqual({ data_base64: Buffer.from(bytes).toString('base64') })
    }
  })
})
