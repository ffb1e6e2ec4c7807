import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { defineConfig } from './define-config.js'
import { ConfigError, parseConfig } from './parse-config.js'
import { cacheRedisRule, checkRedisUrl, redisReplicasRule, streamRules, streamSettings } from './server-settings.js'
import { integer, secret } from './settings.js'
import { checkRules } from './settings-rules.js'

const schema = defineConfig({
  ...streamSettings(),
  CACHE_REDIS_URL: secret({ optional: true, check: checkRedisUrl, description: 'the cache' }),
  STREAM_MIN_REPLICAS: integer({ default: 0, min: 0, description: 'replicas' }),
}).superRefine(checkRules(...streamRules, cacheRedisRule('rate limits need'), redisReplicasRule))

const folder = mkdtempSync(join(tmpdir(), 'millrace-kafka-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))
const pem = join(folder, 'ca.pem')
const noPem = join(folder, 'notes.txt')
writeFileSync(pem, '-----BEGIN CERTIFICATE-----\n')
writeFileSync(noPem, 'notes')

const base = { STREAM_DRIVER: 'kafka', KAFKA_BROKERS: 'a:9092,b:9092', CACHE_REDIS_URL: 'redis://cache' }
const problemsOf = (env: Record<string, string>) => {
  try {
    parseConfig(schema, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the settings of Kafka', () => {
  it('need no Redis for the stream, and have defaults for all but the brokers', () => {
    expect(parseConfig(schema, base)).toMatchObject({
      KAFKA_BROKERS: ['a:9092', 'b:9092'],
      KAFKA_CLIENT_ID: 'millrace',
      KAFKA_SSL_ENABLED: false,
      KAFKA_REPLICATION_FACTOR: -1,
    })
  })

  it('are accepted with a login, TLS, a client certificate and replicas', () => {
    const env = {
      KAFKA_SSL_ENABLED: 'true',
      KAFKA_SSL_CA: pem,
      KAFKA_SSL_CERT: pem,
      KAFKA_SSL_KEY: pem,
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'ada',
      KAFKA_SASL_PASSWORD: 'hunter2',
      KAFKA_REPLICATION_FACTOR: '3',
      KAFKA_MIN_INSYNC_REPLICAS: '3',
    }
    expect(problemsOf({ ...base, ...env })).toEqual([])
  })

  const tls = { KAFKA_SSL_ENABLED: 'true' }
  const login = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'ada', KAFKA_SASL_PASSWORD: 'hunter2' }
  it.each<[string, Record<string, string>, string | RegExp]>([
    [
      'no brokers',
      { KAFKA_BROKERS: '' },
      'KAFKA_BROKERS is not set, but STREAM_DRIVER is kafka: set KAFKA_BROKERS to host:port of brokers of the cluster, separated by commas.',
    ],
    [
      'a broker without a port',
      { KAFKA_BROKERS: 'kafka' },
      'KAFKA_BROKERS must be brokers as host:port, separated by commas, but is "kafka".',
    ],
    [
      'a broker as a URL',
      { KAFKA_BROKERS: 'kafka://a:9092' },
      'KAFKA_BROKERS must be brokers as host:port, separated by commas, but is "kafka://a:9092".',
    ],
    [
      'no Redis at all',
      { CACHE_REDIS_URL: '' },
      'CACHE_REDIS_URL is not set: rate limits need a Redis, also with STREAM_DRIVER kafka.',
    ],
    [
      'no password',
      { ...login, KAFKA_SASL_PASSWORD: '' },
      'KAFKA_SASL_MECHANISM and KAFKA_SASL_USERNAME are set, but KAFKA_SASL_PASSWORD is not: a login to the brokers needs all three.',
    ],
    [
      'no mechanism',
      { ...login, KAFKA_SASL_MECHANISM: '' },
      'KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are set, but KAFKA_SASL_MECHANISM is not: a login to the brokers needs all three.',
    ],
    [
      'only a mechanism',
      { KAFKA_SASL_MECHANISM: 'plain' },
      'KAFKA_SASL_MECHANISM is set, but KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are not: a login to the brokers needs all three.',
    ],
    [
      'an unknown mechanism',
      { ...login, KAFKA_SASL_MECHANISM: 'gssapi' },
      'KAFKA_SASL_MECHANISM must be one of plain, scram-sha-256, scram-sha-512, but is "gssapi".',
    ],
    [
      'an authority without TLS',
      { KAFKA_SSL_CA: pem },
      'KAFKA_SSL_CA is set, but KAFKA_SSL_ENABLED is false: set KAFKA_SSL_ENABLED to true, or leave KAFKA_SSL_CA unset.',
    ],
    [
      'a certificate without a key',
      { ...tls, KAFKA_SSL_CERT: pem },
      'KAFKA_SSL_CERT is set, but KAFKA_SSL_KEY is not: a client certificate needs both.',
    ],
    [
      'a key without a certificate',
      { ...tls, KAFKA_SSL_KEY: pem },
      'KAFKA_SSL_KEY is set, but KAFKA_SSL_CERT is not: a client certificate needs both.',
    ],
    [
      'a file that is not there',
      { ...tls, KAFKA_SSL_CA: join(folder, 'absent.pem') },
      /^KAFKA_SSL_CA must be a file that this process can read \(there is none of this name\), but is "\S+absent\.pem"\.$/,
    ],
    [
      'a directory for a file',
      { ...tls, KAFKA_SSL_CA: folder },
      /^KAFKA_SSL_CA must be a file that this process can read \(EISDIR\)/,
    ],
    ['a file of another kind', { ...tls, KAFKA_SSL_CA: noPem }, /^KAFKA_SSL_CA must be a PEM file, but is "\S+"\.$/],
    [
      'more replicas in sync than replicas',
      { KAFKA_REPLICATION_FACTOR: '2', KAFKA_MIN_INSYNC_REPLICAS: '3' },
      'KAFKA_MIN_INSYNC_REPLICAS is 3, but KAFKA_REPLICATION_FACTOR is 2: no event could be acknowledged; set KAFKA_MIN_INSYNC_REPLICAS to at most 2.',
    ],
    [
      'no replicas',
      { KAFKA_REPLICATION_FACTOR: '0' },
      /^KAFKA_REPLICATION_FACTOR is 0: set it to the number of brokers/,
    ],
    [
      'replicas of Redis',
      { STREAM_MIN_REPLICAS: '1' },
      'STREAM_MIN_REPLICAS is 1, but STREAM_DRIVER is kafka: it counts replicas of Redis; set KAFKA_MIN_INSYNC_REPLICAS instead.',
    ],
  ])('are refused with one sentence that names the settings and the remedy: %s', (_, env, sentence) => {
    const problems = problemsOf({ ...base, ...env })
    expect(problems).toEqual([typeof sentence === 'string' ? sentence : expect.stringMatching(sentence)])
    expect(problems[0]).not.toContain('hunter2')
  })
})

describe('the settings of a stream on Redis', () => {
  it('are refused without a Redis, as they were before there was Kafka', () => {
    expect(problemsOf({})).toEqual([
      'STREAM_REDIS_URL is not set: Redis that holds the stream, as redis://user:password@host:port.',
    ])
    expect(problemsOf({ STREAM_REDIS_URL: 'redis://x' })).toEqual([])
  })
})
