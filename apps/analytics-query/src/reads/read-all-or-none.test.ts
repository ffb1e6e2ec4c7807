import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { AdmissionControl } from '../admission/admission-control.js'
import { type TableStatistics, unknownShares } from '../admission/table-statistics.js'
import type { CellQuery } from '../query/cell-query.js'
import { readAllOrNone } from './read-all-or-none.js'
import type { ReadScope } from './read-scope.js'

const DAY = 86_400_000
const statistics: TableStatistics = {
  days: new Map([[0, { rows: 1000, users: null }]]),
  firstDayMs: 0,
  lastDayMs: 0,
  events: unknownShares(),
  tenants: unknownShares(),
  users: unknownShares(),
  logins: 1000,
}
const query = { fromMs: 0, toMs: DAY, groupBy: [], bucketStarts: [0] } as unknown as CellQuery

describe('several readings of one query', () => {
  const scopeWith = (rows: number): ReadScope => ({
    tenantId: 1,
    admission: new AdmissionControl({
      statistics: () => statistics,
      budgetOf: () => ({ rows, partitions: 100, bytes: 1e9 }),
      now: () => DAY,
    }),
    read: () => Promise.reject(new Error('nothing is read')),
  })
  const log: string[] = []
  const reading = (name: string, fails?: 'planning' | 'reading') => async (scope: ReadScope) => {
    log.push(`plan ${name}`)
    if (fails === 'planning') throw new Error(name)
    await scope.admission?.admitLogins({ tenantId: 1, query, scans: 1 }).catch((error: Error) => {
      log.push(`end ${name}`)
      throw error
    })
    if (fails === 'reading') throw new Error(name)
    log.push(`read ${name}`)
    await Promise.resolve()
    log.push(`done ${name}`)
    return name
  }

  it('are all planned before the first one reads, and then read one after the other', async () => {
    log.length = 0
    expect(await readAllOrNone(scopeWith(2000), [reading('a'), reading('b')] as const)).toEqual(['a', 'b'])
    expect(log).toEqual(['plan a', 'plan b', 'read a', 'done a', 'read b', 'done b'])
  })

  it('are rejected together, with a hint how to ask for the first one alone, and none of them reads', async () => {
    log.length = 0
    await expect(
      readAllOrNone(scopeWith(1999), [reading('a'), reading('b')] as const, 'ask for a'),
    ).rejects.toMatchObject({
      code: 'QUERY_TOO_EXPENSIVE',
      details: { estimate: { rows: 2000 }, suggestion: expect.stringMatching(/^ask for a; or /) },
    })
    await setImmediate()
    expect(log).toEqual(['plan a', 'plan b', 'end a', 'end b'])
  })

  it.each(['planning', 'reading'] as const)('fail with the first one that fails while %s', async (when) => {
    log.length = 0
    const readings = when === 'planning' ? [reading('a'), reading('b', when)] : [reading('a', when), reading('b')]
    await expect(readAllOrNone(scopeWith(1e9), readings)).rejects.toThrow(when === 'planning' ? 'b' : 'a')
    // All that follows from the failure has run then.
    await setImmediate()
    expect(log.filter((line) => line.startsWith('read'))).toEqual([])
    expect(log).toContain(when === 'planning' ? 'end a' : 'end b')
  })
})
