import { describe, expect, it } from '@jest/globals'
import { createLogger } from './create-logger.js'
import type { LogLevel } from './log-level.js'
import type { SamplingRule } from './sample-format.js'

function open(samplePerSecond: number, sampling: readonly SamplingRule[] = []) {
  let text = ''
  let nowMs = 0
  const logger = createLogger({
    service: 'test',
    level: 'debug',
    samplePerSecond,
    sampling,
    now: () => nowMs,
    write: (lines) => {
      text += lines
    },
  })
  const records = () => {
    logger.flush()
    const lines = text.split('\n').filter((line) => line !== '')
    text = ''
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }
  return { logger, records, at: (ms: number) => (nowMs = ms) }
}

describe('log sampling', () => {
  it('writes the set number of lines a second for one message and endpoint, and the number of dropped ones on the next line', () => {
    const { logger, records, at } = open(2)
    for (let i = 0; i < 5; i++) logger.warn('a request failed', { route: '/a', i })
    logger.warn('a request failed', { route: '/b' })
    logger.info('something else', { route: '/a' })
    expect(records().map(({ message, route, i }) => [message, route, i])).toEqual([
      ['a request failed', '/a', 0],
      ['a request failed', '/a', 1],
      ['a request failed', '/b', undefined],
      ['something else', '/a', undefined],
    ])
    at(999)
    logger.warn('a request failed', { route: '/a' })
    expect(records()).toEqual([])
    at(1000)
    logger.warn('a request failed', { route: '/a' })
    logger.warn('a request failed', { route: '/a' })
    expect(records().map(({ suppressed }) => suppressed)).toEqual([4, undefined])
  })

  it.each(['error', 'fatal', 'audit', 'security'] as LogLevel[])('never drops a %s line', (level) => {
    const { logger, records } = open(1)
    for (let i = 0; i < 3; i++) logger[level]('again', { route: '/a' })
    expect(records()).toHaveLength(3)
  })

  it('follows the first rule that fits the route and level of a line', () => {
    const { logger, records } = open(3, [
      { route: '/health', linesPerSecond: 1 },
      { route: '/audited', level: 'info', linesPerSecond: 0 },
      { level: 'debug', linesPerSecond: 2 },
    ])
    for (let i = 0; i < 5; i++) {
      logger.info('asked', { route: '/health' })
      logger.info('asked', { route: '/audited' })
      logger.warn('asked', { route: '/audited' })
      logger.debug('asked', { route: '/other' })
    }
    const lines = records().map(({ level, route }) => `${String(level)} ${String(route)}`)
    const count = (line: string) => lines.filter((one) => one === line).length
    expect(count('info /health')).toBe(1)
    expect(count('info /audited')).toBe(5)
    expect(count('warn /audited')).toBe(3)
    expect(count('debug /other')).toBe(2)
  })

  it('drops nothing when sampling is off', () => {
    const { logger, records } = open(0)
    for (let i = 0; i < 300; i++) logger.info('again')
    expect(records()).toHaveLength(300)
  })

  it('keeps a bounded number of endpoints, however many clients make up', () => {
    const { logger, records } = open(1)
    for (let i = 0; i < 3000; i++) logger.info('asked', { path: `/made-up/${i % 1500}` })
    expect(records().length).toBeGreaterThan(1500)
  })
})
