import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { Parts } from './parts.js'

describe('the parts of a service', () => {
  it('get half of the time that is left to stop, so that the last one has time however slow the others are', async () => {
    const clock = { ms: 0 }
    const parts = new Parts(silentLogger, () => clock.ms)
    const budgets: [name: string, budgetMs: number | undefined][] = []
    for (const name of ['database', 'producer', 'ledger', 'http server'])
      await parts.start(name, () => [
        undefined,
        (budgetMs = 0) => {
          budgets.push([name, budgetMs])
          clock.ms += name === 'ledger' ? 0 : budgetMs
        },
      ])
    expect(await parts.stop(20_000)).toEqual([])
    expect(budgets).toEqual([
      ['http server', 10_000],
      ['ledger', 5000],
      ['producer', 5000],
      ['database', 2500],
    ])
  })
})
