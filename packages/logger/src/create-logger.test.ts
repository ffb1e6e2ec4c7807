import { describe, expect, it, jest } from '@jest/globals'
import { createLogger } from './create-logger.js'
import { runWithContext } from './log-context.js'
import { type LogLevel, logLevels } from './log-level.js'

function open(options: Partial<Parameters<typeof createLogger>[0]> = {}) {
  const written: string[] = []
  const logger = createLogger({
    service: 'test',
    level: 'debug',
    now: () => 0,
    write: (lines) => void written.push(lines),
    ...options,
  })
  const records = () =>
    written
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { logger, written, records }
}

describe('the logger', () => {
  it.each(Object.keys(logLevels) as LogLevel[])(
    'writes a %s line as JSON with time, level, message, service and fields',
    (level) => {
      const { logger, records } = open()
      logger[level]('something happened', { partition: 3 })
      logger.close()
      expect(records()).toEqual([
        { timestamp: '1970-01-01T00:00:00.000Z', level, message: 'something happened', service: 'test', partition: 3 },
      ])
    },
  )

  it('adds the ids of the current request to each line, also after an await', async () => {
    const { logger, records } = open()
    await runWithContext({ traceId: 't', spanId: 's', tenant: 'a', requestId: 'r' }, async () => {
      await Promise.resolve()
      runWithContext({ userId: 'u' }, () => logger.info('inside'))
    })
    logger.info('outside')
    logger.close()
    expect(records()[0]).toMatchObject({ trace_id: 't', span_id: 's', tenant: 'a', request_id: 'r', user_id: 'u' })
    expect(records()[1]).not.toHaveProperty('trace_id')
  })

  it('masks the message, its fields, the fields of a child logger and the request ids before it writes a line', () => {
    const { logger, written } = open({ maskFields: ['iban'] })
    const child = logger.child({ email: 'bob@example.com', password: 'hunter2' })
    runWithContext({ userId: 'carol@example.com' }, () =>
      child.error('mail to bob@example.com', {
        iban: 'DE02120300000000202051',
        n: 4111111111111111,
        error: new Error('dave@example.com'),
        headers: { authorization: 'Basic abcdefgh' },
      }),
    )
    logger.close()
    expect(written.join('')).not.toMatch(/@example|hunter2|DE0212|4111|abcdefgh/)
  })

  it('writes an object as it was at the time of the call', () => {
    const { logger, records } = open()
    const state = { phase: 'before' }
    logger.info('state', { state })
    state.phase = 'after'
    logger.close()
    expect(records()[0]).toMatchObject({ state: { phase: 'before' } })
  })

  it('renames a field that would forge the level, the time or the message, or make winston drop the line', () => {
    const { logger, records } = open()
    const forged = { level: 'fatal', message: 'forged', timestamp: 'x', service: 'other', exception: true }
    logger.info('real', forged)
    logger.child(forged).info('real')
    logger.close()
    expect(records()).toHaveLength(2)
    expect(records()[1]).toEqual(records()[0])
    expect(records()[0]).toMatchObject({
      level: 'info',
      message: 'real',
      service: 'test',
      field_level: 'fatal',
      field_message: 'forged',
      field_exception: true,
    })
  })

  it('follows a level change at once, in child loggers too, and writes audit and security lines at every level', () => {
    const { logger, records } = open({ level: 'warn' })
    const child = logger.child({ part: 'x' })
    child.info('dropped')
    expect(child.isEnabled('debug')).toBe(false)
    logger.setLevel('debug')
    child.debug('kept')
    logger.setLevel('fatal')
    child.error('dropped')
    child.audit('kept')
    child.security('kept')
    logger.close()
    expect(records().map((record) => record.message)).toEqual(['kept', 'kept', 'kept'])
  })

  it('writes waiting lines as one piece in the next turn of the event loop when enough of them wait', async () => {
    const { logger, written } = open({ flushLines: 3, flushMs: 60_000 })
    logger.info('1')
    logger.info('2')
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).toEqual([])
    logger.info('3')
    logger.info('4')
    expect(written).toEqual([])
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).toHaveLength(1)
    logger.close()
  })

  it('writes the lines of a loop that never yields before more than 16,384 of them wait', () => {
    const { logger, records } = open({ samplePerSecond: 0 })
    for (let i = 0; i < 16_384; i++) logger.info('again')
    expect(records()).toHaveLength(16_384)
    logger.close()
  })

  it('writes waiting lines after the flush time', () => {
    jest.useFakeTimers()
    try {
      const { logger, written } = open({ flushMs: 100 })
      logger.info('1')
      jest.advanceTimersByTime(99)
      expect(written).toHaveLength(0)
      jest.advanceTimersByTime(1)
      expect(written).toHaveLength(1)
      logger.close()
    } finally {
      jest.useRealTimers()
    }
  })

  it('keeps the level that a waiting line was logged under', () => {
    const { logger, records } = open({ level: 'info' })
    logger.info('logged before the change')
    logger.setLevel('error')
    logger.close()
    expect(records().map((record) => record.message)).toEqual(['logged before the change'])
  })

  it('writes lines that are logged after it was closed', () => {
    const { logger, records } = open()
    logger.close()
    logger.info('late')
    expect(records()).toMatchObject([{ message: 'late' }])
  })

  it.each(['fatal', 'audit', 'security'] as const)('writes a %s line and all lines before it at once', (level) => {
    const { logger, records } = open()
    logger.info('before')
    logger[level]('now')
    expect(records().map((record) => record.message)).toEqual(['before', 'now'])
    logger.close()
  })
})
