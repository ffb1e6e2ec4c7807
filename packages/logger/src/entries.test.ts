import { describe, expect, it } from '@jest/globals'
import { logAudit, logSecurity } from './audit-entry.js'
import { createLogger } from './create-logger.js'
import { runWithContext } from './log-context.js'
import { createQueryLogging } from './query-logging.js'

function open(level: 'debug' | 'fatal') {
  let text = ''
  const logger = createLogger({
    service: 'test',
    level,
    write: (lines) => {
      text += lines
    },
  })
  const records = () => {
    logger.flush()
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
  return { logger, records }
}

describe('an audit entry', () => {
  it('says who did what to which resource with which result, at every level and with secrets masked', () => {
    const { logger, records } = open('fatal')
    runWithContext({ userId: 'u1', sessionId: 's1' }, () =>
      logAudit(logger, {
        action: 'UPDATE',
        resource: 'account',
        resourceId: 'a1',
        result: 'DENIED',
        oldValue: { plan: 'free', password: 'old' },
        newValue: { plan: 'pro', password: 'new' },
        ip: '203.0.113.9',
        userAgent: 'curl',
      }),
    )
    expect(records()).toEqual([
      expect.objectContaining({
        level: 'audit',
        action: 'UPDATE',
        resource: 'account',
        resource_id: 'a1',
        result: 'DENIED',
        old_value: { plan: 'free', password: '[masked]' },
        new_value: { plan: 'pro', password: '[masked]' },
        ip: '203.0.113.9',
        user_agent: 'curl',
        user_id: 'u1',
        session_id: 's1',
      }),
    ])
    logger.close()
  })
})

describe('a security entry', () => {
  it('is written at every level', () => {
    const { logger, records } = open('fatal')
    logSecurity(logger, { event: 'failed_sign_in', result: 'FAILURE', ip: '203.0.113.9' })
    expect(records()).toMatchObject([{ level: 'security', event: 'failed_sign_in', result: 'FAILURE' }])
    logger.close()
  })
})

describe('a logged query', () => {
  it.each([
    [{ durationMs: 1 }, 'debug'],
    [{ durationMs: 500 }, 'warn'],
    [{ durationMs: 1, error: new Error('duplicate key bob@example.com') }, 'error'],
  ])('with %j has level %s and no values', (outcome, level) => {
    const { logger, records } = open('debug')
    createQueryLogging(logger)({
      statement: `select * from users where email = 'carol' and id = 42`,
      rows: 1,
      ...outcome,
    })
    expect(records()).toMatchObject([{ level, statement: 'select * from users where email = ? and id = ?' }])
    expect(JSON.stringify(records())).not.toContain('bob@')
    logger.close()
  })
})
