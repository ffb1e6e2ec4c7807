import { describe, expect, it } from '@jest/globals'
import { acceptBody } from '../testing/open-acceptor.js'

const client = { ip: '203.0.113.9', userAgent: 'Fire"fox' }

function contextOf(
  body: object,
  { path = '/v1/events', options = {} as Parameters<typeof acceptBody>[2], from = client as typeof client | null } = {},
) {
  const headers = path === '/v1/cloudevents' ? { 'content-type': 'application/cloudevents+json' } : {}
  const { records } = acceptBody(body, { path, headers, ...(from !== null && { client: from }) }, options)
  return records[0]?.context === undefined || records[0].context === null
    ? null
    : (JSON.parse(records[0].context) as unknown)
}
const event = (context?: unknown) => ({ event: 'A', userId: 'u', context })

describe('the context of an event from a browser', () => {
  it.each([
    ['absent', undefined, client],
    ['null', null, client],
    ['empty', {}, client],
    ['without either', { locale: 'de' }, { ...client, locale: 'de' }],
    ['with an address', { ip: '::1' }, { ip: '::1', userAgent: client.userAgent }],
    ['with a user agent', { userAgent: 'x' }, { ip: client.ip, userAgent: 'x' }],
    ['with both', { ip: '::1', userAgent: 'x' }, { ip: '::1', userAgent: 'x' }],
    ['with nulls on purpose', { ip: null, userAgent: null }, { ip: null, userAgent: null }],
  ])('gets the address and the user agent of the request if it has none: %s', (_name, context, wanted) => {
    expect(contextOf(event(context))).toEqual(wanted)
    expect(contextOf({ context, batch: [event()] }, { path: '/v1/batch' })).toEqual(wanted)
  })

  it('is not changed when the request does not describe the device', () => {
    expect(contextOf(event({ locale: 'de' }), { from: null })).toEqual({ locale: 'de' })
    expect(contextOf(event(), { from: null })).toBeNull()
  })

  it('gets them beside the attributes of a CloudEvent', () => {
    const cloud = { specversion: '1.0', id: '1', source: '/s', type: 'A' }
    expect(contextOf(cloud, { path: '/v1/cloudevents' })).toEqual({ ...client, cloudevents: { id: '1', source: '/s' } })
  })
})

describe('truncation of addresses', () => {
  const options = { limits: { truncatesIp: true } }
  it.each([
    [
      { ip: '198.51.100.77', a: 1 },
      { ip: '198.51.100.0', a: 1 },
    ],
    [
      { a: 1, ip: '2001:db8:1:2::3' },
      { a: 1, ip: '2001:db8:1::' },
    ],
    [{ ip: 5 }, { ip: 5 }],
    [{ ip: null }, { ip: null }],
    [{ a: 1 }, { a: 1 }],
  ])('applies to the address that a server sent: %j', (context, wanted) => {
    expect(contextOf(event(context), { options, from: null })).toEqual(wanted)
  })

  it('applies to the address of an envelope', () => {
    const body = { context: { ip: '198.51.100.77' }, batch: [event({ a: 1 })] }
    expect(contextOf(body, { path: '/v1/batch', options, from: null })).toEqual({ ip: '198.51.100.0', a: 1 })
  })
})

describe('the traits of an identify event', () => {
  const take = (fields: object, envelope = {}) => {
    const definitions = [{ event: '*', dimensions: [], property: 'properties.value' }]
    const body = { ...envelope, batch: [{ type: 'identify', userId: 'u', ...fields }] }
    const { records, acceptance } = acceptBody(body, { path: '/v1/batch' }, { definitions })
    return {
      ...records[0],
      code: acceptance.rejected[0]?.code,
      stored: JSON.parse(records[0]?.properties ?? 'null') as unknown,
    }
  }

  it.each([
    ['its context', { context: { traits: { plan: 'x' } } }, { plan: 'x' }],
    [
      'its context and itself, which wins',
      { context: { traits: { plan: 'x', a: { b: 1 } } }, traits: { plan: 'y', a: { c: 2 } } },
      { plan: 'y', a: { b: 1, c: 2 } },
    ],
    [
      'its context and its properties',
      { context: { traits: { plan: 'x' } }, properties: { plan: 'y' } },
      { plan: 'y' },
    ],
    ['its context if its own are null', { context: { traits: { plan: 'x' } }, traits: null }, { plan: 'x' }],
    ['its context if its own are empty', { context: { traits: { plan: 'x' } }, traits: {} }, { plan: 'x' }],
    [
      'the own traits of the event if context.traits is not an object',
      { context: { traits: ['x'] }, traits: { plan: 'y' } },
      { plan: 'y' },
    ],
    [
      'the own traits of the event if context.traits is null',
      { context: { traits: null }, traits: { plan: 'y' } },
      { plan: 'y' },
    ],
    ['nowhere', { context: { app: 1 } }, null],
  ])('come from %s', (_name, fields, wanted) => {
    expect(take(fields).stored).toEqual(wanted)
    expect(take(fields).context).toBe(JSON.stringify(fields.context))
  })

  it('come from the context of the batch too', () => {
    expect(take({ traits: { a: 1 } }, { context: { traits: { plan: 'x' } } }).stored).toEqual({ plan: 'x', a: 1 })
  })

  it('count in rollups', () => {
    expect(take({ context: { traits: { value: 4 } }, traits: { a: 1 } }).points).toEqual(['*/properties.value=[]: 4'])
  })

  it('cannot be another type because of those in the context', () => {
    expect(take({ context: { traits: { plan: 'x' } }, traits: [1] }).code).toBe('invalid_properties')
    expect(take({ context: { traits: { plan: 'x' } }, properties: [1] }).code).toBe('invalid_properties')
  })

  it.each(['track', 'group', 'page'])(
    'are not taken from the context of a %s event, where they describe the user',
    (type) => {
      const fields = { type, event: 'A', groupId: 'g', context: { traits: { plan: 'x' } } }
      expect(take(fields).properties ?? '').not.toContain('plan')
    },
  )
})
