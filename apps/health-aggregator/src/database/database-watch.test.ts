import { expect, it } from '@jest/globals'
import { createMetrics } from '@millrace/telemetry'
import { HealthMetrics } from '../metrics.js'
import { DatabaseWatch } from './database-watch.js'

const MIB = 2 ** 20

function createWatch() {
  const state = { hits: 0, reads: 0, tables: [] as { table: string; dead_bytes: number }[], bloatReads: 0 }
  const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
  const figures = { bytes: 0, dead_share: 0, partitions: 1, live_rows: 0, dead_rows: 0 }
  const watch = new DatabaseWatch({
    readPageCounts: async () => ({ hits: state.hits, reads: state.reads }),
    readTableBloat: async () => {
      state.bloatReads++
      return state.tables.map((one) => ({ ...figures, ...one, last_vacuum: null, last_analyze: null }))
    },
    readIndexBloat: async () => [],
    metrics: new HealthMetrics(metrics),
  })
  const exposed = async (name: string) =>
    (await metrics.expose()).split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'))
  return { state, watch, exposed }
}

it('the database watch exports the cache hit ratio since its last step, also after the statistics were reset', async () => {
  const { state, watch, exposed } = createWatch()
  const ratio = async () => Number((await exposed('millrace_postgres_cache_hit_ratio'))[0]?.split(' ').at(-1))
  Object.assign(state, { hits: 90, reads: 10 })
  await watch.step()
  expect(await ratio()).toBe(0.9)
  Object.assign(state, { hits: 100, reads: 20 })
  await watch.step()
  expect(await ratio()).toBe(0.5)
  Object.assign(state, { hits: 3, reads: 1 })
  await watch.step()
  expect(await ratio()).toBe(0.5)
  Object.assign(state, { hits: 6, reads: 2 })
  await watch.step()
  expect(await ratio()).toBe(0.75)
})

it('the database watch exports the most dead space in every tenth step, and removes relations that have none left', async () => {
  const { state, watch, exposed } = createWatch()
  state.tables = [
    { table: 'events', dead_bytes: 50 * MIB },
    { table: 'rollups_1m', dead_bytes: 2 * MIB },
    { table: 'tenants', dead_bytes: 100 },
  ]
  await watch.step()
  expect(await exposed('millrace_postgres_dead_bytes')).toEqual([
    expect.stringMatching(/kind="table",relation="events".* 52428800$/),
    expect.stringMatching(/kind="table",relation="rollups_1m".* 2097152$/),
  ])
  state.tables = [{ table: 'events', dead_bytes: 3 * MIB }]
  for (let step = 0; step < 10; step++) await watch.step()
  expect(state.bloatReads).toBe(2)
  const lines = await exposed('millrace_postgres_dead_bytes')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/relation="events".* 3145728$/)
})
