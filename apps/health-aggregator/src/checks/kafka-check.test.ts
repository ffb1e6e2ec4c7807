import { describe, expect, it } from '@jest/globals'
import { createKafkaCheck } from './kafka-check.js'

const partitions = { total: 16, underReplicated: 0, belowMinInsync: 0, offline: 0 }
const whole = {
  brokers: [{ id: 1, host: 'kafka-1', port: 9092 }],
  controller: 1,
  missingBrokers: [],
  partitions,
  problems: [],
}

describe('the check of Kafka', () => {
  it.each([
    ['healthy when every replica is in sync', {}, 'healthy'],
    [
      'degraded when one of three brokers is down',
      { missingBrokers: [3], partitions: { ...partitions, underReplicated: 16 } },
      'degraded',
    ],
    ['degraded when no controller is known', { controller: undefined }, 'degraded'],
    ['degraded when settings of the topic allow a loss', { problems: ['retention.bytes is set'] }, 'degraded'],
    [
      'unhealthy when too few replicas are in sync to store events',
      { partitions: { ...partitions, underReplicated: 16, belowMinInsync: 1 } },
      'unhealthy',
    ],
    ['unhealthy when a partition has no leader', { partitions: { ...partitions, offline: 1 } }, 'unhealthy'],
  ])('is %s', async (_, differences, status) => {
    const check = createKafkaCheck(async () => ({ ...whole, ...differences }))
    expect(await check.run()).toMatchObject({ status, brokers: [{ id: 1, address: 'kafka-1:9092' }] })
  })
})
