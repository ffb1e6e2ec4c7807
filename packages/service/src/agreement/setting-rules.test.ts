import { describe, expect, it } from '@jest/globals'
import { findContradictions, type PublishedSettings, settingsToPublish } from './setting-rules.js'

const process = (service: string, values: PublishedSettings['values'], instance = `${service}-1`) => ({
  service,
  instance,
  values,
})

describe('the comparison of settings of several services', () => {
  it('finds a gateway that accepts events which the consumer deletes at once, and says both settings, values and services', () => {
    const found = findContradictions([
      process('stream-consumer', { EVENTS_MAX_AGE_DAYS: 30, EVENTS_RETENTION_DAYS: 30 }),
      process('ingest-gateway', { EVENTS_MAX_AGE_DAYS: 400, EVENTS_RETENTION_DAYS: 400 }),
    ])
    expect(found).toEqual([
      {
        isDangerous: true,
        instances: ['ingest-gateway-1', 'stream-consumer-1'],
        sentence:
          'EVENTS_MAX_AGE_DAYS of ingest-gateway (ingest-gateway-1) is 400, but EVENTS_RETENTION_DAYS of stream-consumer (stream-consumer-1) is 30: events would be accepted and then deleted at once',
      },
    ])
  })

  it.each([
    ['STREAM_NAME', 'events', 'other', true],
    ['STREAM_DRIVER', 'redis', 'kafka', true],
    ['STREAM_PARTITIONS', 16, 8, true],
    ['STREAM_GROUP', 'events-store', 'other', true],
    ['EVENTS_RETENTION_DAYS', 400, 30, false],
    ['DEDUP_WINDOW_HOURS', 24, 1, false],
    ['LEASE_MS', 30_000, 500, false],
  ])('finds two consumers with different values of %s, once', (setting, left, right, isDangerous) => {
    const found = findContradictions([
      process('stream-consumer', { [setting]: left }, 'a'),
      process('stream-consumer', { [setting]: right }, 'b'),
    ])
    expect(found).toMatchObject([{ isDangerous, instances: ['a', 'b'] }])
    expect(found[0]?.sentence).toContain(`${setting} of stream-consumer (a) is ${left}, but ${setting} of`)
  })

  it('finds nothing among services whose settings agree, or that do not have the setting', () => {
    const values = { STREAM_NAME: 'events', STREAM_PARTITIONS: 16, EVENTS_MAX_AGE_DAYS: 30, EVENTS_RETENTION_DAYS: 30 }
    expect(
      findContradictions([
        process('ingest-gateway', values),
        process('stream-consumer', { ...values, STREAM_GROUP: 'events-store', EVENTS_RETENTION_DAYS: 31 }),
        process('analytics-query', { STREAM_NAME: 'events', EVENTS_MAX_AGE_DAYS: 30, STREAM_GROUP: 'events-store' }),
        process('health-aggregator', { STREAM_NAME: 'events' }),
      ]),
    ).toEqual([])
  })

  it('publishes only the settings that are compared, and no secret', () => {
    const config = {
      STREAM_NAME: 'events',
      STREAM_PARTITIONS: 16,
      DATABASE_URL: { reveal: () => 'secret' },
      HTTP_PORT: 1,
    }
    expect(settingsToPublish(config)).toEqual({ STREAM_NAME: 'events', STREAM_PARTITIONS: 16 })
  })
})
