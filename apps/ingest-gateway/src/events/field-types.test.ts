import { describe, expect, it } from '@jest/globals'
import { EVENT_TYPES } from '@millrace/contracts'
import { acceptBody } from '../testing/open-acceptor.js'

/** JSON texts of numbers, which become texts as they are written. */
const NUMBERS = ['0', '42', '-7', '1.50', '1e3', '9007199254740993', '12345678901234567890']
/** JSON texts of values that cannot be an id or a name, with their names in reasons. */
const OTHERS = [
  ['true', 'a boolean'],
  ['false', 'a boolean'],
  ['{}', 'an object'],
  ['{"id":"x"}', 'an object'],
  ['[]', 'a list'],
  ['["x"]', 'a list'],
] as const
/** JSON texts of values that mean that a field is not there. */
const NOTHING = ['null', '""', '" "', '"\\n\\t "']

const cloudEvent = { 'content-type': 'application/cloudevents+json' }

/** The single record or rejection of an event: members as JSON texts, of which undefined ones are left out. */
function take(members: Record<string, string | undefined>, path = '/v1/events') {
  const text = Object.entries(members)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
  const headers = path === '/v1/cloudevents' ? cloudEvent : {}
  const { records, acceptance } = acceptBody(`{${text.join(',')}}`, { path, headers })
  return { record: records[0], rejection: acceptance.rejected[0] }
}
const propertiesOf = (record: { properties: string | null } | undefined) =>
  JSON.parse(record?.properties ?? '{}') as object

const track = { event: '"A"', userId: '"u"' }
const cloud = { specversion: '"1.0"', id: '"7"', source: '"/s"', type: '"A"', userid: '"u"' }

/** Every id and name of every wire: the field, where its text is stored, and what happens without it. */
const TEXTS: {
  field: string
  path?: string
  others: Record<string, string>
  seen: (record: ReturnType<typeof take>['record']) => unknown
  without: string | null | undefined
  missing?: string
  code: string
}[] = [
  {
    field: 'userId',
    others: { ...track, anonymousId: '"a"' },
    seen: (r) => r?.userId,
    without: null,
    code: 'invalid_user_id',
  },
  {
    field: 'user_id',
    others: { event: '"A"', anonymousId: '"a"' },
    seen: (r) => r?.userId,
    without: null,
    code: 'invalid_user_id',
  },
  { field: 'anonymousId', others: track, seen: (r) => r?.anonymousId, without: null, code: 'invalid_anonymous_id' },
  { field: 'messageId', others: track, seen: (r) => r?.messageId, without: 'made-1', code: 'invalid_message_id' },
  {
    field: 'event',
    others: track,
    seen: (r) => r?.event,
    without: undefined,
    missing: 'missing_event',
    code: 'invalid_event_name',
  },
  ...['page', 'screen'].flatMap((type) =>
    ['name', 'category'].map((field) => ({
      field,
      others: { userId: '"u"', type: `"${type}"` },
      seen: (r: ReturnType<typeof take>['record']) => (propertiesOf(r) as Record<string, unknown>)[field],
      without: undefined,
      code: 'invalid_name',
    })),
  ),
  {
    field: 'groupId',
    others: { userId: '"u"', type: '"group"', traits: '{"a":1}' },
    seen: (r) => (propertiesOf(r) as { groupId?: unknown }).groupId,
    without: undefined,
    missing: 'missing_group_id',
    code: 'invalid_group_id',
  },
  {
    field: 'previousId',
    others: { userId: '"u"', type: '"alias"' },
    seen: (r) => (propertiesOf(r) as { previousId?: unknown }).previousId,
    without: undefined,
    missing: 'missing_previous_id',
    code: 'invalid_previous_id',
  },
  {
    field: 'userid',
    path: '/v1/cloudevents',
    others: { ...cloud, anonymousid: '"a"' },
    seen: (r) => r?.userId,
    without: null,
    code: 'invalid_user_id',
  },
  {
    field: 'anonymousid',
    path: '/v1/cloudevents',
    others: cloud,
    seen: (r) => r?.anonymousId,
    without: null,
    code: 'invalid_anonymous_id',
  },
  {
    field: 'type',
    path: '/v1/cloudevents',
    others: cloud,
    seen: (r) => r?.event,
    without: undefined,
    missing: 'missing_event',
    code: 'invalid_event_name',
  },
  {
    field: 'id',
    path: '/v1/cloudevents',
    others: cloud,
    seen: (r) => r?.messageId.replace('/s ', ''),
    without: undefined,
    missing: 'invalid_message_id',
    code: 'invalid_message_id',
  },
  {
    field: 'source',
    path: '/v1/cloudevents',
    others: cloud,
    seen: (r) => r?.messageId.replace(' 7', ''),
    without: undefined,
    missing: 'invalid_message_id',
    code: 'invalid_message_id',
  },
  {
    field: 'subject',
    path: '/v1/cloudevents',
    others: { ...cloud, userid: 'null' },
    seen: (r) => r?.anonymousId,
    without: '/s',
    code: 'invalid_anonymous_id',
  },
]

describe.each(TEXTS)(
  'the field $field of an event $others',
  ({ field, path, others, seen, without, missing, code }) => {
    it.each(NUMBERS)('takes the number %s as a text with the same digits', (number) => {
      const { record, rejection } = take({ ...others, [field]: number }, path)
      expect(rejection).toBeUndefined()
      expect(seen(record)).toBe(number)
    })

    it.each(OTHERS)('rejects %s with a reason that names the field and says what was found', (value, found) => {
      const { rejection } = take({ ...others, [field]: value }, path)
      const name = field === 'user_id' ? 'userId' : field
      expect(rejection).toMatchObject({ code, reason: `${name} must be a string or a number, not ${found}` })
    })

    it.each(NOTHING)('takes %s as if the field were not there', (value) => {
      const { record, rejection } = take({ ...others, [field]: value }, path)
      expect(rejection?.code).toBe(missing)
      if (missing === undefined) expect(seen(record)).toBe(without)
      expect(take({ ...others, [field]: undefined }, path).rejection?.code).toBe(missing)
    })
  },
)

describe('the type of an event', () => {
  it.each(['42', 'true', '{}', '[]', '"shout"', '"Track"'])('cannot be %s', (type) => {
    expect(take({ ...track, type }).rejection).toMatchObject({
      code: 'invalid_type',
      reason: expect.stringContaining('type must be one of track, identify, page, screen, group and alias'),
    })
  })

  it.each(NOTHING)('is track if it is %s', (type) => {
    expect(take({ ...track, type }).record).toMatchObject({ event: 'A', type: 0 })
  })
})

describe('the objects of an event', () => {
  const values = [
    ['"x"', 'a string'],
    ['""', 'an empty string'],
    ['1', 'a number'],
    ['true', 'a boolean'],
    ['[1]', 'a list'],
    ['[[]]', 'a list'],
    ['[ {} ]', 'a list'],
  ] as const
  const objects = EVENT_TYPES.flatMap((type) => {
    const traits = type === 'identify' || type === 'group'
    const fields = [
      ['context', 'invalid_context'] as const,
      [traits ? 'traits' : 'properties', 'invalid_properties'] as const,
    ]
    return fields.flatMap(([field, code]) => values.map(([value, found]) => ({ type, field, code, value, found })))
  })
  const required = { event: '"A"', userId: '"u"', groupId: '"g"', previousId: '"p"' }

  it.each(objects)('cannot be $found: $field of type $type', ({ type, field, code, value, found }) => {
    expect(take({ ...required, type: `"${type}"`, [field]: value }).rejection).toMatchObject({
      code,
      reason: `${field} must be an object, not ${found}`,
    })
  })

  // PHP's json_encode writes an array without members as [], and PHP has one type for lists and objects.
  it.each(EVENT_TYPES.flatMap((type) => ['[]', '[ \n ]'].map((list) => [type, list] as const)))(
    'may be empty lists, which stand for empty objects: type %s, %j',
    (type, list) => {
      const takeWith = (object: string) =>
        take({ ...required, type: `"${type}"`, context: object, properties: object, traits: object })
      const { record, rejection } = takeWith(list)
      expect(rejection).toBeUndefined()
      expect(record).toEqual(takeWith('{}').record)
    },
  )

  it.each(EVENT_TYPES)('may be null: type %s', (type) => {
    const { record, rejection } = take({
      ...required,
      type: `"${type}"`,
      context: 'null',
      properties: 'null',
      traits: 'null',
    })
    expect(rejection).toBeUndefined()
    expect(record?.context).toBeNull()
  })
})

describe('the typed events', () => {
  const typed = (event: string, properties: string) => take({ event: `"${event}"`, userId: '"u"', properties })

  it.each([
    ['$session_start', '{"session_id":1234}'],
    ['$session_end', '{"session_id":0}'],
    ['$activity', '{"action":1,"entity_type":2,"entity_id":3.5}'],
    ['$login', '{"method":1,"success":true,"failure_reason":7}'],
  ])('take numbers as ids and names: %s %s', (event, properties) => {
    expect(typed(event, properties)).toMatchObject({ rejection: undefined, record: { flags: 1, properties } })
  })

  it.each([
    ['$session_start', '{}', 'session_id', 'nothing'],
    ['$session_start', '{"session_id":" "}', 'session_id', 'a blank string'],
    ['$session_start', '{"session_id":true}', 'session_id', 'a boolean'],
    ['$session_start', '{"session_id":12345678901234567890}', 'session_id', 'a number of more than 15 digits'],
    ['$session_end', '{"session_id":["a"]}', 'session_id', 'a list'],
    ['$activity', '{"action":"a","entity_type":"t","entity_id":null}', 'entity_id', 'null'],
    ['$activity', '{"action":"a","entity_type":"t","entity_id":1,"metadata":[]}', 'metadata', 'a list'],
    ['$login', '{"method":"m","success":"yes"}', 'success', 'a string'],
    ['$login', '{"method":{},"success":true}', 'method', 'an object'],
  ])('are rejected with the property that is wrong and what was found: %s %s', (event, properties, name, found) => {
    const { rejection } = typed(event, properties)
    expect(rejection?.code).toBe('invalid_properties')
    expect(rejection?.reason).toContain(`${event} needs ${name}: `)
    expect(rejection?.reason).toMatch(new RegExp(`, not ${found}$`))
  })
})

describe('an id that is too long', () => {
  it.each([
    ['userId', '/v1/events', track],
    ['anonymousId', '/v1/events', track],
    ['messageId', '/v1/events', track],
    ['event', '/v1/events', track],
    ['type', '/v1/cloudevents', cloud],
    ['userid', '/v1/cloudevents', cloud],
  ])('is rejected with its length, as a string and as a number: %s on %s', (field, path, others) => {
    for (const value of [JSON.stringify('x'.repeat(256)), '1'.repeat(256)])
      expect(take({ ...others, [field]: value }, path).rejection?.reason).toBe(
        `${field} must have at most 255 bytes, not 256`,
      )
    expect(take({ ...others, [field]: '1'.repeat(255) }, path).rejection).toBeUndefined()
  })
})
