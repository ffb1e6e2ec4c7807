import { describe, expect, it } from '@jest/globals'
import { defineConfig } from './define-config.js'
import { mirrorRule, mirrorSettings } from './mirror-settings.js'
import { parseConfig } from './parse-config.js'
import { streamSettings } from './server-settings.js'
import { checkRules } from './settings-rules.js'

const schema = defineConfig({ ...streamSettings(), ...mirrorSettings() }).superRefine(checkRules(mirrorRule))

describe('the settings of the mirror to Kafka', () => {
  it.each([
    [{ KAFKA_MIRROR_TOPIC: 'a b', KAFKA_BROKERS: 'k:9092' }, 'must be the name of a Kafka topic'],
    [{ KAFKA_MIRROR_TOPIC: '..', KAFKA_BROKERS: 'k:9092' }, 'must be the name of a Kafka topic'],
    [{ KAFKA_MIRROR_TOPIC: 'x'.repeat(250), KAFKA_BROKERS: 'k:9092' }, 'must be the name of a Kafka topic'],
    [{ KAFKA_MIRROR_TOPIC: 'mirror' }, 'KAFKA_MIRROR_TOPIC is mirror, but KAFKA_BROKERS is not set'],
    [
      { KAFKA_MIRROR_TOPIC: 'millrace.events', KAFKA_BROKERS: 'k:9092', STREAM_DRIVER: 'kafka' },
      'which is the topic of the stream',
    ],
  ])('%j is refused with the reason', (env, reason) => {
    expect(() => parseConfig(schema, env)).toThrow(reason)
  })

  it.each([
    [{}],
    [{ KAFKA_MIRROR_TOPIC: 'mirror', KAFKA_BROKERS: 'k:9092' }],
    [{ KAFKA_MIRROR_TOPIC: 'millrace.events', KAFKA_BROKERS: 'k:9092' }],
    [{ KAFKA_MIRROR_TOPIC: 'millrace.mirror', KAFKA_BROKERS: 'k:9092', STREAM_DRIVER: 'kafka' }],
  ])('%j is accepted', (env) => {
    expect(() => parseConfig(schema, env)).not.toThrow()
  })
})
