import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { rejectionsKey } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createTestRedis, type TestRedis } from '@millrace/testing'
import { RejectionStore } from './rejection-store.js'

describe('the store of rejections', () => {
  let server: TestRedis
  let redis: RedisConnection
  beforeAll(async () => {
    server = await createTestRedis()
    redis = await openRedis({ url: server.url, name: 'rejections' }, { logger: silentLogger })
  })
  afterAll(async () => {
    await redis?.close()
    await server?.release()
  })

  const open = (keptMax = 5000, keptMs = 3_600_000, now = Date.now) =>
    new RejectionStore({ keptMax, keptMs }, { redis, now })
  const rejection = (index: number, code = 'missing_user', time = new Date()) =>
    JSON.stringify({ index, code, time: time.toISOString() })
  const many = (count: number, code?: string) => Array.from({ length: count }, (_, i) => rejection(i, code))

  async function readAll(
    store: RejectionStore,
    tenantId: number,
    filter: { code?: string; since?: Date; limit: number },
  ) {
    const pages: (number | null)[][] = []
    let cursor = ''
    do {
      const page = await store.list(tenantId, { ...filter, cursor })
      pages.push(page.data.map(({ index }) => index))
      cursor = page.nextCursor
    } while (cursor !== '')
    return pages
  }

  it('lists each rejection of a tenant once, newest first, page by page', async () => {
    const store = open()
    await store.append(1, many(1203))
    await store.append(2, many(1))
    const pages = await readAll(store, 1, { limit: 500 })
    expect(pages.map(({ length }) => length)).toEqual([500, 500, 203])
    expect(pages.flat()).toEqual(Array.from({ length: 1203 }, (_, i) => 1202 - i))
    expect(await readAll(store, 3, { limit: 10 })).toEqual([[]])
  })

  it('filters by code and time, also where few of many match, with a last page without a cursor', async () => {
    const store = open()
    await store.append(4, [rejection(1, 'rare'), ...many(1100), rejection(2, 'rare'), rejection(3, 'rare')])
    expect(await readAll(store, 4, { code: 'rare', limit: 2 })).toEqual([[3, 2], [1]])
    expect(await readAll(store, 4, { code: 'rare', limit: 3 })).toEqual([[3, 2, 1]])
    const since = new Date(Date.now() + 60_000)
    await store.append(4, [rejection(9, 'rare', new Date(since.getTime() - 1)), rejection(10, 'rare', since)])
    expect(await readAll(store, 4, { since, limit: 3 })).toEqual([[10]])
  })

  it('keeps the most recent rejections up to its number and its age', async () => {
    await open(100).append(5, many(250))
    expect((await readAll(open(100), 5, { limit: 1000 })).flat()).toEqual(
      Array.from({ length: 100 }, (_, i) => 249 - i),
    )
    const later = open(100, 60_000, () => Date.now() + 61_000)
    expect(await readAll(later, 5, { limit: 1000 })).toEqual([[]])
    await later.append(5, many(1))
    expect(await redis.client.xlen(rejectionsKey(5))).toBeLessThanOrEqual(1)
    expect(await redis.client.pttl(rejectionsKey(5))).toBeLessThanOrEqual(60_000)
  })

  it('accepts a cursor only for the tenant and the filter that it was issued for', async () => {
    const store = open()
    await store.append(6, many(3))
    const { nextCursor: cursor } = await store.list(6, { limit: 1, cursor: '' })
    await expect(store.list(7, { limit: 1, cursor })).rejects.toMatchObject({ code: 'INVALID_CURSOR' })
    await expect(store.list(6, { limit: 1, cursor, code: 'rare' })).rejects.toMatchObject({ code: 'INVALID_CURSOR' })
    await expect(store.list(6, { limit: 1, cursor: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_CURSOR' })
  })
})
