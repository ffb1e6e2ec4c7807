import { describe, expect, it } from '@jest/globals'
import { createLogger } from '@millrace/logger'
import { acceptBody } from '../testing/open-acceptor.js'
import { CurrentEventCatalog } from './current-event-catalog.js'
import { WATCHED_SLOTS } from './event-table.js'

const definitionsOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ event: '*', dimensions: [], property: `properties.p${i}` }))

/** The warnings that a gateway with these rollup definitions logs. */
function warningsOf(count: number): string {
  let log = ''
  const logger = createLogger({ service: 'test', level: 'warn', write: (lines) => (log += lines) })
  new CurrentEventCatalog(definitionsOf(count), { load: async () => [], logger })
  logger.flush()
  return log
}

describe('rollups with more properties than the scanner can watch', () => {
  it('are named in a warning when the gateway starts', () => {
    expect(warningsOf(WATCHED_SLOTS)).toBe('')
    const log = warningsOf(WATCHED_SLOTS + 1)
    expect(log).toContain('rollups use more properties than the scanner can watch')
    expect(log).toContain(`p${WATCHED_SLOTS}`)
  })

  it('still count every event', () => {
    const properties = Object.fromEntries(Array.from({ length: WATCHED_SLOTS + 2 }, (_, i) => [`p${i}`, i]))
    const { records } = acceptBody(
      [{ event: 'A', userId: 'u', properties }],
      { path: '/v1/events' },
      { definitions: definitionsOf(WATCHED_SLOTS + 2) },
    )
    expect(records[0]?.points.length).toBe(WATCHED_SLOTS + 2)
    expect(records[0]?.points.at(-1)).toBe(`*/properties.p${WATCHED_SLOTS + 1}=[]: ${WATCHED_SLOTS + 1}`)
  })
})
