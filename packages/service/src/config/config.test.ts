import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from '@jest/globals'
import { defineConfig } from './define-config.js'
import { describeConfig } from './describe-config.js'
import { ConfigError, parseConfig } from './parse-config.js'
import { Secret } from './secret.js'
import { eventTimeSettings } from './server-settings.js'
import { serviceSettings } from './service-settings.js'
import { boolean, choice, decimal, integer, list, port, secret, text, url } from './settings.js'
import { atMostRule, checkRules, eventTimesRule } from './settings-rules.js'
import { replaceSettingsTable } from './settings-table.js'

const schema = defineConfig({
  HTTP_PORT: port({ default: 8080, description: 'port of the public API' }),
  BATCH_EVENTS_MAX: integer({ default: 500, min: 1, max: 10_000, unit: 'events', description: 'largest batch' }),
  RATIO: decimal({ default: 0.5, min: 0, max: 1, description: 'share | of events' }),
  DATABASE_URL: secret({ description: 'where the rows go' }),
  STREAM_DRIVER: choice(['redis', 'kafka'], { default: 'redis', description: 'what carries the stream' }),
  BROKERS: list({ default: [], description: 'addresses of the brokers' }),
  IS_ON: boolean({ default: false, description: 'whether it is on' }),
  INDEX_URL: url({ optional: true, protocols: ['http:', 'https:'], description: 'where the index is' }),
  REGION: text({ optional: true, description: 'where we are' }),
})
const base = { DATABASE_URL: 'postgres://u:hunter2@db/x' }
const problemsOf = (env: Record<string, string>) => {
  try {
    parseConfig(schema, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
  }
  return []
}
const folder = mkdtempSync(join(tmpdir(), 'millrace-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('a configuration', () => {
  it('has values from the environment, and defaults for variables that are missing or empty', () => {
    const config = parseConfig(schema, { ...base, HTTP_PORT: '', BROKERS: 'a:1, b:2', IS_ON: '1', REGION: ' eu ' })
    expect(config).toMatchObject({
      HTTP_PORT: 8080,
      BATCH_EVENTS_MAX: 500,
      RATIO: 0.5,
      STREAM_DRIVER: 'redis',
      BROKERS: ['a:1', 'b:2'],
      IS_ON: true,
      REGION: 'eu',
    })
    expect(config.INDEX_URL).toBeUndefined()
    expect(config.DATABASE_URL.reveal()).toBe('postgres://u:hunter2@db/x')
  })

  it('takes the value of another setting for one that is not set, and refuses settings that contradict each other in one sentence', () => {
    const times = defineConfig(eventTimeSettings()).superRefine(checkRules(eventTimesRule))
    expect(parseConfig(times, {})).toEqual({ EVENTS_MAX_AGE_DAYS: 400, EVENTS_RETENTION_DAYS: 400 })
    expect(parseConfig(times, { EVENTS_RETENTION_DAYS: '30' })).toMatchObject({ EVENTS_MAX_AGE_DAYS: 30 })
    expect(parseConfig(times, { EVENTS_MAX_AGE_DAYS: '7' })).toMatchObject({ EVENTS_RETENTION_DAYS: 400 })
    expect(() => parseConfig(times, { EVENTS_MAX_AGE_DAYS: '31', EVENTS_RETENTION_DAYS: '30' })).toThrow(
      new ConfigError([
        'EVENTS_MAX_AGE_DAYS is 31, but EVENTS_RETENTION_DAYS is 30: events would be accepted and then deleted at once; set EVENTS_MAX_AGE_DAYS to at most 30, or leave it unset.',
      ]),
    )
    const pair = defineConfig({
      A: integer({ default: 1, description: 'a' }),
      B: integer({ default: 2, description: 'b' }),
    }).superRefine(checkRules(atMostRule('A', 'B')))
    expect(() => parseConfig(pair, { A: '3' })).toThrow('A is 3, but B is 2: set A to at most B.')
    const open = defineConfig({
      A: integer({ default: 1, description: 'a' }),
      B: integer({ optional: true, description: 'b' }),
    }).superRefine(checkRules(atMostRule('A', 'B')))
    expect(parseConfig(open, { A: '3' })).toEqual({ A: 3, B: undefined })
    expect(() => parseConfig(open, { A: '3', B: '2' })).toThrow('A is 3, but B is 2: set A to at most B.')
  })

  it('reports all problems at once, one sentence each', () => {
    const problems = problemsOf({
      HTTP_PORT: '99999',
      BATCH_EVENTS_MAX: 'many',
      RATIO: '2',
      STREAM_DRIVER: 'nats',
      IS_ON: 'maybe',
      INDEX_URL: 'ftp://x',
    })
    expect(problems).toEqual([
      'HTTP_PORT must be a whole number from 0 to 65535, but is "99999".',
      'BATCH_EVENTS_MAX must be a whole number from 1 to 10000 (events), but is "many".',
      'RATIO must be a number from 0 to 1, but is "2".',
      'DATABASE_URL is not set: where the rows go.',
      'STREAM_DRIVER must be one of redis, kafka, but is "nats".',
      'IS_ON must be true or false, but is "maybe".',
      'INDEX_URL must be a URL that begins with http:// or https://, but is "ftp://x".',
    ])
  })

  it('reads a secret from the file in the variable with the suffix _FILE', () => {
    const file = join(folder, 'url')
    writeFileSync(file, 'postgres://from-file\n')
    expect(parseConfig(schema, { DATABASE_URL_FILE: file }).DATABASE_URL.reveal()).toBe('postgres://from-file')
  })

  it('reports a secret file that cannot be read, and a secret that is set in both ways', () => {
    expect(problemsOf({ DATABASE_URL_FILE: join(folder, 'none') })).toEqual([
      expect.stringMatching(/^DATABASE_URL_FILE is .* cannot be read \(ENOENT\)\.$/),
    ])
    expect(problemsOf({ ...base, DATABASE_URL_FILE: join(folder, 'url') })).toEqual([
      'DATABASE_URL and DATABASE_URL_FILE are both set: set one of them.',
    ])
  })

  it('never shows the value of a secret in a problem', () => {
    const short = defineConfig({ KEY: secret({ minLength: 16, description: 'key' }) })
    expect(() => parseConfig(short, { KEY: 'hunter2' })).toThrow('KEY must have at least 16 characters.')
  })

  it('reports violated rules over several settings as whole sentences', () => {
    const both = defineConfig({
      A: text({ optional: true, description: 'a' }),
      B: text({ optional: true, description: 'b' }),
    }).refine((value) => value.A !== undefined || value.B !== undefined, 'Set A or B.')
    expect(() => parseConfig(both, {})).toThrow('Set A or B.')
  })

  it('is described by a table between the markers of a README', () => {
    const table = describeConfig(schema)
    expect(table).toContain('| `HTTP_PORT` | port of the public API | `8080` | from 0 to 65535 |')
    expect(table).toContain('| `BATCH_EVENTS_MAX` | largest batch (events) | `500` | from 1 to 10000 |')
    expect(table).toContain('| `DATABASE_URL`, `DATABASE_URL_FILE` | where the rows go | required |  |')
    expect(table).toContain('share \\| of events')
    const readme = 'before\n<!-- settings -->\nold\n<!-- /settings -->\nafter'
    expect(replaceSettingsTable(readme, schema)).toBe(`before\n<!-- settings -->\n${table}\n<!-- /settings -->\nafter`)
    expect(() => replaceSettingsTable('nothing', schema)).toThrow('<!-- settings -->')
  })

  it('cannot have a setting in milliseconds whose name hides the unit', () => {
    const setting = integer({ default: 1, unit: 'ms', description: 'time' })
    expect(() => defineConfig({ POLL_INTERVAL: setting })).toThrow('its name must end in _MS')
    expect(() => defineConfig({ POLL_INTERVAL_MS: setting })).not.toThrow()
  })

  it('of any service is valid with defaults alone', () => {
    expect(parseConfig(defineConfig(serviceSettings({ adminPort: 8081 })), {})).toMatchObject({
      ADMIN_PORT: 8081,
      ADMIN_HOST: '127.0.0.1',
      LOG_LEVEL: 'info',
      SHUTDOWN_TIMEOUT_MS: 20_000,
    })
  })
})

describe('a secret', () => {
  it('is printed as [secret] by everything except reveal', () => {
    const value = new Secret('hunter2')
    expect(
      [
        String(value),
        `${value as unknown as string}`,
        JSON.stringify({ value }),
        inspect({ value }),
        Object.values(value).join(),
      ].join(),
    ).not.toContain('hunter2')
    expect(JSON.stringify(value)).toBe('"[secret]"')
    expect(value.reveal()).toBe('hunter2')
  })
})
