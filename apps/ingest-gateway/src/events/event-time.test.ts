import { describe, expect, it } from '@jest/globals'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '@millrace/contracts'
import { acceptBody, TEST_NOW } from '../testing/open-acceptor.js'

const iso = (ms: number) => new Date(ms).toISOString()
/** A time so many ms before the request is received. */
const ago = (ms: number) => iso(TEST_NOW - ms)

interface Seen {
  /** How long before the receipt the event happened, in ms; or the code of its rejection. */
  readonly time: number | string | undefined
  readonly original: unknown
}

function see(body: object | string, path: string, options?: Parameters<typeof acceptBody>[2]): Seen {
  const headers = path === '/v1/cloudevents' ? { 'content-type': 'application/cloudevents+json' } : {}
  const { records, acceptance } = acceptBody(body, { path, headers }, options)
  const [record] = records
  if (record === undefined) return { time: acceptance.rejected[0]?.code, original: undefined }
  const context = JSON.parse(record.context ?? '{}') as { originalTimestamp?: unknown }
  return { time: TEST_NOW - record.timestampMs, original: context.originalTimestamp }
}
const event = { event: 'A', userId: 'u' }
const track = (fields: object, options?: Parameters<typeof acceptBody>[2]) =>
  see({ ...event, ...fields }, '/v1/track', options)

const HALF_HOUR = 30 * MINUTE_MS
const WEEKS = 14 * DAY_MS

describe('the time of an event', () => {
  it.each<[string, object, number | string, string | undefined]>([
    // The clock of the client is right.
    ['without any time is that of the receipt', {}, 0, undefined],
    ['without a time of its own is the time of the receipt, also with a sentAt', { sentAt: ago(WEEKS) }, 0, undefined],
    ['is its timestamp', { timestamp: ago(HALF_HOUR) }, HALF_HOUR, undefined],
    ['is its originalTimestamp if it has no timestamp', { originalTimestamp: ago(HALF_HOUR) }, HALF_HOUR, undefined],
    [
      'is not moved by the time that the request took',
      { timestamp: ago(HALF_HOUR), sentAt: ago(59_000) },
      HALF_HOUR,
      undefined,
    ],
    [
      'is not moved by a clock that is a little ahead',
      { timestamp: ago(HALF_HOUR), sentAt: ago(-59_000) },
      HALF_HOUR,
      undefined,
    ],
    ['may be in the future', { timestamp: ago(-HOUR_MS), sentAt: ago(0) }, -HOUR_MS, undefined],
    // The clock of the client is wrong, and the difference to sentAt is trusted.
    [
      'is corrected when the clock is a minute behind',
      { timestamp: ago(HALF_HOUR), sentAt: ago(MINUTE_MS) },
      HALF_HOUR - MINUTE_MS,
      ago(HALF_HOUR),
    ],
    [
      'is corrected when the clock is two hours behind',
      { timestamp: ago(2 * HOUR_MS + HALF_HOUR), sentAt: ago(2 * HOUR_MS) },
      HALF_HOUR,
      ago(2 * HOUR_MS + HALF_HOUR),
    ],
    [
      'is corrected when the clock is two hours ahead',
      { timestamp: ago(HALF_HOUR - 2 * HOUR_MS), sentAt: ago(-2 * HOUR_MS) },
      HALF_HOUR,
      ago(HALF_HOUR - 2 * HOUR_MS),
    ],
    [
      'is corrected when the clock is a day behind',
      { originalTimestamp: ago(DAY_MS + HALF_HOUR), sentAt: ago(DAY_MS) },
      HALF_HOUR,
      ago(DAY_MS + HALF_HOUR),
    ],
    [
      'is corrected when sentAt is in seconds',
      { timestamp: ago(3 * HOUR_MS), sentAt: (TEST_NOW - 2 * HOUR_MS) / 1000 },
      HOUR_MS,
      ago(3 * HOUR_MS),
    ],
    [
      'is corrected when sentAt is in milliseconds',
      { timestamp: ago(3 * HOUR_MS), sentAt: TEST_NOW - 2 * HOUR_MS },
      HOUR_MS,
      ago(3 * HOUR_MS),
    ],
    [
      'is corrected when the clock stands in 1970',
      { timestamp: '1970-01-01T00:00:00Z', sentAt: '1970-01-01T00:01:00Z' },
      MINUTE_MS,
      '1970-01-01T00:00:00.000Z',
    ],
    [
      'is corrected when the clock stands in the year 1',
      { timestamp: '0001-01-01T00:00:00Z', sentAt: '0001-01-01T00:01:00Z' },
      MINUTE_MS,
      '0001-01-01T00:00:00.000Z',
    ],
    [
      'is corrected when the clock is two weeks ahead',
      { timestamp: ago(HALF_HOUR - WEEKS), sentAt: ago(-WEEKS) },
      HALF_HOUR,
      ago(HALF_HOUR - WEEKS),
    ],
    // A sentAt that is not trusted.
    [
      'is its own when sentAt is two weeks old',
      { timestamp: ago(HALF_HOUR), sentAt: ago(WEEKS) },
      HALF_HOUR,
      undefined,
    ],
    [
      'is its own when sentAt is two weeks ahead',
      { timestamp: ago(HALF_HOUR), sentAt: ago(-WEEKS) },
      HALF_HOUR,
      undefined,
    ],
    [
      'is its own when sentAt is two hours older than the event',
      { timestamp: ago(0), sentAt: ago(2 * HOUR_MS) },
      0,
      undefined,
    ],
    [
      'is its own when sentAt is in the year 1',
      { timestamp: ago(HALF_HOUR), sentAt: '0001-01-01T00:00:00Z' },
      HALF_HOUR,
      undefined,
    ],
    [
      'is its own when sentAt is in the year 9999',
      { timestamp: ago(HALF_HOUR), sentAt: '9999-12-31T23:59:59Z' },
      HALF_HOUR,
      undefined,
    ],
    ['is its own when sentAt is 0', { timestamp: ago(HALF_HOUR), sentAt: 0 }, HALF_HOUR, undefined],
    [
      'is its own when sentAt is a negative number',
      { timestamp: ago(HALF_HOUR), sentAt: -62_135_596_800 },
      HALF_HOUR,
      undefined,
    ],
    ['is its own when sentAt is a huge number', { timestamp: ago(HALF_HOUR), sentAt: 1e300 }, HALF_HOUR, undefined],
    ['is its own when sentAt is a text', { timestamp: ago(HALF_HOUR), sentAt: 'soon' }, HALF_HOUR, undefined],
    [
      'is its own when sentAt is a number in a text',
      { timestamp: ago(HALF_HOUR), sentAt: '1763712000' },
      HALF_HOUR,
      undefined,
    ],
    [
      'is its own when sentAt has no offset',
      { timestamp: ago(HALF_HOUR), sentAt: '2026-11-21T06:00:00' },
      HALF_HOUR,
      undefined,
    ],
    ['is its own when sentAt is empty', { timestamp: ago(HALF_HOUR), sentAt: '' }, HALF_HOUR, undefined],
    ['is its own when sentAt is null', { timestamp: ago(HALF_HOUR), sentAt: null }, HALF_HOUR, undefined],
    ['is its own when sentAt is a boolean', { timestamp: ago(HALF_HOUR), sentAt: true }, HALF_HOUR, undefined],
    ['is its own when sentAt is an object', { timestamp: ago(HALF_HOUR), sentAt: {} }, HALF_HOUR, undefined],
    ['is its own when sentAt is a list', { timestamp: ago(HALF_HOUR), sentAt: [] }, HALF_HOUR, undefined],
    [
      'is its own when the corrected one would be too old',
      { timestamp: ago(400 * DAY_MS - HOUR_MS), sentAt: ago(-2 * HOUR_MS) },
      400 * DAY_MS - HOUR_MS,
      undefined,
    ],
    // Requests from an archive.
    [
      'is its own in a request of last month that is sent again',
      { timestamp: ago(30 * DAY_MS + HALF_HOUR), sentAt: ago(30 * DAY_MS) },
      30 * DAY_MS + HALF_HOUR,
      undefined,
    ],
    [
      'is too old in a request of two years ago that is sent again',
      { timestamp: ago(730 * DAY_MS + HALF_HOUR), sentAt: ago(730 * DAY_MS) },
      'timestamp_out_of_range',
      undefined,
    ],
    [
      'is its timestamp if it was received before',
      { timestamp: ago(2 * HOUR_MS), sentAt: ago(HOUR_MS), receivedAt: ago(HOUR_MS) },
      2 * HOUR_MS,
      undefined,
    ],
    [
      'is its timestamp if it has an originalTimestamp too',
      { timestamp: ago(2 * HOUR_MS), originalTimestamp: ago(3 * HOUR_MS), sentAt: ago(HOUR_MS) },
      2 * HOUR_MS,
      ago(3 * HOUR_MS),
    ],
    [
      'is its timestamp if originalTimestamp is the same',
      { timestamp: ago(2 * HOUR_MS), originalTimestamp: ago(2 * HOUR_MS), sentAt: ago(HOUR_MS) },
      2 * HOUR_MS,
      undefined,
    ],
    [
      'is corrected if receivedAt is no time',
      { timestamp: ago(2 * HOUR_MS), sentAt: ago(HOUR_MS), receivedAt: 'never' },
      HOUR_MS,
      ago(2 * HOUR_MS),
    ],
    [
      'is corrected if originalTimestamp is no time',
      { timestamp: ago(2 * HOUR_MS), originalTimestamp: {}, sentAt: ago(HOUR_MS) },
      HOUR_MS,
      ago(2 * HOUR_MS),
    ],
    // Times as numbers.
    ['may be a number of milliseconds', { timestamp: TEST_NOW - HALF_HOUR }, HALF_HOUR, undefined],
    ['may be a number of seconds', { timestamp: (TEST_NOW - HALF_HOUR) / 1000 }, HALF_HOUR, undefined],
    ['may be a number of seconds with a fraction', { timestamp: (TEST_NOW - 123) / 1000 }, 123, undefined],
    ['may be a number of milliseconds with a fraction', { timestamp: TEST_NOW - 0.5 }, 1, undefined],
    ['cannot be a number of microseconds', { timestamp: TEST_NOW * 1000 }, 'timestamp_out_of_range', undefined],
    ['cannot be a huge number', { timestamp: 1e300, sentAt: 1e300 }, 'invalid_timestamp', undefined],
    // The main field is never replaced by a helper.
    [
      'cannot be a word, whatever originalTimestamp is',
      { timestamp: 'yesterday', originalTimestamp: ago(HALF_HOUR) },
      'invalid_timestamp',
      undefined,
    ],
    ['cannot be a number in a text', { timestamp: '1763712000' }, 'invalid_timestamp', undefined],
    ['cannot be a boolean', { timestamp: false }, 'invalid_timestamp', undefined],
    ['cannot be an object', { originalTimestamp: {} }, 'invalid_timestamp', undefined],
    ['cannot be a list', { timestamp: [] }, 'invalid_timestamp', undefined],
    ['is absent if it is empty', { timestamp: '', originalTimestamp: ago(HALF_HOUR) }, HALF_HOUR, undefined],
  ])('%s', (_name, fields, time, original) => {
    expect(track(fields)).toEqual({ time, original })
    // The envelope of a batch says the same as the event itself.
    const { timestamp, originalTimestamp, sentAt, receivedAt } = fields as Record<string, unknown>
    const times = { timestamp, originalTimestamp, receivedAt }
    const batches = [
      { batch: [{ ...event, ...times }], sentAt },
      { sentAt, ...times, batch: [event] },
      { batch: [{ ...event, ...times, sentAt }], sentAt: ago(5 * HOUR_MS) },
    ]
    for (const batch of sentAt === undefined || sentAt === null || sentAt === '' ? batches.slice(0, 2) : batches)
      expect(see(batch, '/v1/batch')).toEqual({ time, original })
  })

  it.each([
    ['timestamp', 'yesterday', 'another string'],
    ['timestamp', true, 'a boolean'],
    ['originalTimestamp', [], 'a list'],
  ])('is rejected with the field and what was found: %s %j', (field, value, found) => {
    const { acceptance } = acceptBody({ ...event, [field]: value }, { path: '/v1/track' })
    expect(acceptance.rejected[0]?.reason).toMatch(new RegExp(`^${field} must be an RFC 3339 time .*, not ${found}$`))
  })

  it.each([
    [(TEST_NOW - HOUR_MS) / 1000, HOUR_MS],
    [TEST_NOW - HOUR_MS, HOUR_MS],
    [ago(HOUR_MS), HOUR_MS],
    ['', 0],
    [null, 0],
    [true, 'invalid_timestamp'],
    [{}, 'invalid_timestamp'],
  ])('follows the same rule in CloudEvents: %j', (time, wanted) => {
    const cloud = { specversion: '1.0', id: '1', source: '/s', type: 'A', time }
    expect(see(cloud, '/v1/cloudevents').time).toBe(wanted)
  })

  it('is not corrected when the setting says that no error of a clock is', () => {
    const options = { limits: { clockErrorMaxMs: 0 } }
    expect(track({ timestamp: ago(2 * HOUR_MS), sentAt: ago(HOUR_MS) }, options).time).toBe(2 * HOUR_MS)
    const future = { timestamp: ago(-WEEKS), sentAt: ago(-WEEKS) }
    expect(track(future, options).time).toBe('timestamp_out_of_range')
  })

  it('is corrected up to the error that the setting allows', () => {
    const options = { limits: { clockErrorMaxMs: HOUR_MS } }
    const at = (error: number) => track({ timestamp: ago(error), sentAt: ago(error) }, options).time
    expect([at(HOUR_MS), at(HOUR_MS + 1)]).toEqual([0, HOUR_MS + 1])
  })

  it('of events with sentAt values of their own is corrected for each', () => {
    const hours = [1, 2, 3]
    const batch = hours.map((h) => ({
      ...event,
      event: `E${h}`,
      timestamp: ago(h * HOUR_MS),
      sentAt: ago(h * HOUR_MS),
    }))
    const { records } = acceptBody({ batch, sentAt: ago(0) }, { path: '/v1/batch' })
    expect(records.map(({ timestampMs }) => TEST_NOW - timestampMs)).toEqual([0, 0, 0])
  })
})

describe('the original time of a corrected event', () => {
  const corrected = { timestamp: ago(2 * HOUR_MS), sentAt: ago(HOUR_MS) }
  const original = `"originalTimestamp":"${ago(2 * HOUR_MS)}"`
  it.each([
    ['no context', undefined, `{${original}}`],
    ['an empty context', {}, `{${original}}`],
    ['a context', { ip: '::1' }, `{${original},"ip":"::1"}`],
    ['a context with an original time', { originalTimestamp: 'x' }, '{"originalTimestamp":"x"}'],
  ])('is in its context when it has %s', (_name, context, stored) => {
    const { records } = acceptBody({ ...event, ...corrected, context }, { path: '/v1/track' })
    expect(records[0]?.context).toBe(stored)
  })
})
