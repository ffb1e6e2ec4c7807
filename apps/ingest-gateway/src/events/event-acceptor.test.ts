import { describe, expect, it } from '@jest/globals'
import { streamErrors } from '@millrace/streams'
import { acceptBody, openAcceptor, toTestBody } from '../testing/open-acceptor.js'

function take(body: unknown, path = '/v1/events', options?: Parameters<typeof acceptBody>[2]) {
  return acceptBody(body, { path }, options)
}

describe('an acceptor whose stream takes no more', () => {
  it('throws the error of the stream, and accepts the same request again later', () => {
    const { parser, acceptor, producer } = openAcceptor()
    const { body, wire } = toTestBody([{ event: 'A', userId: 'u' }], { path: '/v1/events' })
    const options = { wantsMessageIds: false }
    producer.refusal = streamErrors.STREAM_FULL()
    expect(() => acceptor.accept(parser.parse(body, wire.format), 1, options)).toThrow(
      expect.objectContaining({ code: 'STREAM_FULL' }),
    )
    producer.refusal = undefined
    expect(acceptor.accept(parser.parse(body, wire.format), 1, options).accepted).toBe(1)
    expect(producer.seal().tallies).toEqual([{ tenantId: 1, accepted: 1, rejected: 0 }])
  })
})

describe('an accepted event', () => {
  const definitions = [
    { event: '*', dimensions: [], property: 'properties.value' },
    { event: 'Flight', dimensions: ['properties.carrier', 'properties.meta.gate', 'context.app'], property: null },
    { event: 'Flight', dimensions: ['properties.carrier'], property: 'properties.delay' },
  ]
  const pointsOf = (event: object | string, path = '/v1/events') =>
    take(typeof event === 'string' ? event : [event], path, { definitions }).records[0]?.points

  it('counts in every rollup definition that matches it', () => {
    const event = {
      event: 'Flight',
      userId: 'u',
      properties: { value: 3, carrier: 'UA', delay: -1.25e1, meta: { gate: 7 } },
      context: { app: true },
    }
    expect(pointsOf(event)).toEqual([
      '*/properties.value=[]: 3',
      'Flight/null=["UA","7","true"]: NaN',
      'Flight/properties.delay=["UA"]: -12.5',
    ])
  })

  it.each([
    ['absent', {}, ['Flight/null=[null,null,null]: NaN']],
    ['a text', { value: '3', delay: '1' }, ['Flight/null=[null,null,null]: NaN']],
    ['null', { value: null, carrier: null }, ['Flight/null=[null,null,null]: NaN']],
    ['a list', { value: [1], carrier: ['UA'] }, ['Flight/null=[null,null,null]: NaN']],
    [
      'a number where a text is usual',
      { carrier: 1.5, delay: 0 },
      ['Flight/null=["1.5",null,null]: NaN', 'Flight/properties.delay=["1.5"]: 0'],
    ],
    ['escaped', { carrier: 'U"A\n' }, ['Flight/null=["U\\"A\\n",null,null]: NaN']],
  ])('counts a property that is %s by its JSON value', (_name, properties, points) => {
    expect(pointsOf({ event: 'Flight', userId: 'u', properties })).toEqual(points)
  })

  it('counts a number as its nearest double, and has no value for list positions that do not exist', () => {
    const lists = [
      { event: 'Flight', dimensions: ['properties.list.length', 'properties.list.1', 'properties.id'], property: null },
    ]
    const body =
      '[{"event":"Flight","userId":"u","properties":{"list":[3,9007199254740993],"id":12345678901234567891}}]'
    expect(take(body, '/v1/events', { definitions: lists }).records[0]?.points).toEqual([
      'Flight/null=[null,"9007199254740992","12345678901234567000"]: NaN',
    ])
  })

  it('counts a property whose key is escaped or repeated with the value that jsonb keeps', () => {
    expect(pointsOf('[{"event":"A","userId":"u","properties":{"value":1,"v\\u0061lue":2}}]')).toEqual([
      '*/properties.value=[]: 2',
    ])
  })

  it('counts what is stored as its properties, whether it came as traits or properties', () => {
    expect(pointsOf({ type: 'identify', userId: 'u', traits: { value: 4 }, properties: { value: 9 } })).toEqual([
      '*/properties.value=[]: 4',
    ])
    expect(pointsOf({ type: 'identify', userId: 'u', traits: null, properties: { value: 9 } })).toEqual([
      '*/properties.value=[]: 9',
    ])
    expect(pointsOf({ type: 'page', userId: 'u', name: 'x', properties: { value: 4 } })).toEqual([
      '*/properties.value=[]: 4',
    ])
  })
})
