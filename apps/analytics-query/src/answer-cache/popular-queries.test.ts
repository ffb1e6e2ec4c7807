import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { RunQueryRequest } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createTestRedis, type TestRedis } from '@millrace/testing'
import { PopularQueries } from './popular-queries.js'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 21, 12)
const EMPTY = RunQueryRequest.decode(new Uint8Array())

describe('the most frequent queries', () => {
  let server: TestRedis
  let redis: RedisConnection
  beforeAll(async () => {
    server = await createTestRedis()
    redis = await openRedis({ url: server.url, name: 'popular' }, { logger: silentLogger })
  })
  afterAll(async () => {
    await redis.close()
    await server.release()
  })

  let tests = 0
  /** Processes over one count, on one clock. */
  function open() {
    const clock = { ms: NOW }
    const key = `popular-${tests++}`
    const start = () => new PopularQueries(key, () => clock.ms)
    const loaded = async () =>
      (await start().load(redis)).map(({ tenantId, request }) => [tenantId, request.event] as const)
    return { clock, start, loaded }
  }
  const ask = (at: PopularQueries, event: string, times: number, over: { cursor?: string; tenantId?: number } = {}) => {
    const { tenantId = 1, cursor = '' } = over
    for (let time = 0; time < times; time++)
      at.note(`${tenantId} ${event} ${cursor}`, tenantId, { ...EMPTY, event, cursor })
  }

  it('are counted over all processes, whichever saved last', async () => {
    const { start, loaded } = open()
    const [one, two] = [start(), start()]
    ask(one, 'Both', 3)
    ask(one, 'First', 5)
    ask(two, 'Both', 3)
    ask(two, 'Second', 4, { tenantId: 2 })
    for (const process of [one, two, one, two]) await process.save(redis)
    const expected = [
      [1, 'Both'],
      [1, 'First'],
      [2, 'Second'],
    ]
    expect(await loaded()).toEqual(expected)
    // Nothing counts twice.
    ask(two, 'Second', 1, { tenantId: 2 })
    for (const process of [two, one]) await process.save(redis)
    expect((await loaded())[0]).toEqual([1, 'Both'])
  })

  it('count half as much for each day that has passed, and are forgotten after a week', async () => {
    const { clock, start, loaded } = open()
    const one = start()
    ask(one, 'Old', 5)
    await one.save(redis)
    clock.ms += DAY
    ask(one, 'New', 3)
    await one.save(redis)
    expect(await loaded()).toEqual([
      [1, 'New'],
      [1, 'Old'],
    ])
    clock.ms += 6 * DAY
    expect(await loaded()).toEqual([[1, 'New']])
  })

  it('contain only first pages, and at most fifty of them', async () => {
    const { start, loaded } = open()
    const one = start()
    ask(one, 'Paged', 1)
    ask(one, 'Paged', 9, { cursor: 'next' })
    for (let index = 0; index < 300; index++) ask(one, `Often ${index}`, index < 49 ? 3 : 2)
    await one.save(redis)
    const questions = await loaded()
    expect(questions).toHaveLength(50)
    expect(questions.filter(([, event]) => event === 'Paged')).toEqual([])
    expect(
      questions
        .slice(0, 49)
        .map(([, event]) => event)
        .sort(),
    ).toEqual(Array.from({ length: 49 }, (_, index) => `Often ${index}`).sort())
  })

  it('are saved later when Redis could not be reached', async () => {
    const { start, loaded } = open()
    const one = start()
    ask(one, 'Asked', 2)
    const away = await redis.duplicate({ name: 'away' })
    await away.close()
    await expect(one.save(away)).rejects.toThrow()
    await one.save(redis)
    expect(await loaded()).toEqual([[1, 'Asked']])
  })
})
