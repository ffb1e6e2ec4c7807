import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { type ObjectStore, openObjectStore, parseObjectStoreUrl } from '@millrace/object-store'
import { createTestDatabase, findTestS3, startTestS3, type TestDatabase } from '@millrace/testing'
import { Archive, createMasterKeys, findChains, findSegments, TenantKeys, verifyChain } from '../src/index.js'

const DAY = '2026-11-30'
const wrapper = createMasterKeys([randomBytes(32)])
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

let test: TestDatabase
let database: Database
let tenantId = 0

const found = findTestS3()
if (typeof found === 'string') console.warn(`NOT TESTED: the archive on an S3 server, because ${found}`)

const STORES = [
  {
    name: 'a folder',
    describe,
    start: async () => {
      const directory = mkdtempSync(join(tmpdir(), 'millrace-archive-'))
      const store = await openObjectStore({ driver: 'file', directory })
      return [store, async () => rmSync(directory, { recursive: true })] as const
    },
  },
  {
    name: 'a real S3 server',
    describe: typeof found === 'string' ? describe.skip : describe,
    start: async () => {
      const server = await startTestS3(found as Exclude<typeof found, string>)
      const store = await openObjectStore(parseObjectStoreUrl(server.url), { credentials: server.credentials })
      return [store, () => server.stop()] as const
    },
  },
]

describe('the archive', () => {
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
    await database.query('create table effects (tenant_id integer, item integer)')
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  for (const { name, describe: describeStore, start } of STORES)
    describeStore(`on ${name}`, () => {
      let store: ObjectStore
      let stop: () => Promise<void>
      let keys: TenantKeys
      const chain = () => ({ tenantId, stream: 'logs', day: DAY })
      const open = (given: Partial<{ store: ObjectStore; database: Pick<Database, 'query' | 'transaction'> }> = {}) =>
        new Archive({ database, store, keys, now: () => new Date(), ...given })

      beforeAll(async () => {
        const [opened, stopped] = await start()
        store = opened
        stop = stopped
        keys = new TenantKeys({ store, wrapper })
      })
      afterAll(async () => {
        await store?.close()
        await stop?.()
      })
      beforeEach(() => {
        tenantId++
      })

      /** Appends numbers that are not stored yet, as a consumer of a queue does. Each is noted in the transaction of its segment. */
      async function appendItems(archive: Archive, items: readonly number[]) {
        const tenant = tenantId
        return await archive.append(chain(), {
          draft: async () => {
            const { rows } = await database.query<{ item: number }>('select item from effects where tenant_id = $1', [
              tenant,
            ])
            const left = items.filter((item) => !rows.some((row) => row.item === item)).slice(0, 3)
            if (left.length === 0) return undefined
            return {
              facts: {
                kind: 'items.1',
                hour: `${DAY}T14`,
                records: left.length,
                firstMs: left[0] ?? 0,
                lastMs: left.at(-1) ?? 0,
                labels: [],
              },
              payload: Buffer.from(JSON.stringify(left)),
            }
          },
          effects: ({ payload }) => [
            {
              text: 'insert into effects select $1, item from unnest($2::integer[]) item',
              values: [tenant, JSON.parse(payload.toString()) as number[]],
            },
          ],
        })
      }

      async function readItems(): Promise<number[]> {
        const segments = await findSegments(database, { tenantId, stream: 'logs', fromMs: 0, toMs: 1e15 })
        const items: number[] = []
        for (const segment of segments) items.push(...(JSON.parse((await open().read(segment)).toString()) as number[]))
        return items
      }

      const verify = () => verifyChain(chain(), { database, store, keys })
      const keyOf = (seq: number) =>
        `segments/tenant=${tenantId}/stream=logs/day=${DAY}/${String(seq).padStart(8, '0')}.seg`
      const bytesOf = async (key: string) => Buffer.concat((await (await store.get(key)).body.toArray()) as Buffer[])

      async function appendAll(items: readonly number[]): Promise<void> {
        while ((await appendItems(open(), items)).kind !== 'nothing');
      }

      it('stores segments in a chain, finds them by time, and gives back their payloads', async () => {
        await appendAll([1, 2, 3, 4, 5, 6, 7])
        expect(await readItems()).toEqual([1, 2, 3, 4, 5, 6, 7])
        expect(await verify()).toEqual({ chain: chain(), segments: 3, records: 7, deleted: 0, problems: [] })
        const late = await findSegments(database, { tenantId, stream: 'logs', fromMs: 7, toMs: 1e15 })
        expect(late.map(({ seq }) => seq)).toEqual([3])
        expect(await findChains(database, { tenantId })).toEqual([chain()])
        expect((await findChains(database, { stream: 'other' })).length).toBe(0)
      })

      it('completes an entry that was stored by a process that ended before it could note it, whatever is appended next', async () => {
        await appendAll([1, 2])
        const dying = { ...database, transaction: () => Promise.reject(new Error('the process ended')) }
        await expect(appendItems(open({ database: dying }), [1, 2, 3])).rejects.toThrow('the process ended')
        expect((await verify()).problems).toEqual([])
        expect((await appendItems(open(), [1, 2, 3, 4, 5])).kind).toBe('appended')
        await appendAll([1, 2, 3, 4, 5])
        expect(await readItems()).toEqual([1, 2, 3, 4, 5])
        expect((await verify()).problems).toEqual([])
      })

      it('stores everything once when many processes append to one chain and lose answers of database and store', async () => {
        const items = Array.from({ length: 40 }, (_, item) => item + 1)
        let calls = 0
        const flaky = <T>(work: () => Promise<T>): Promise<T> => {
          const call = ++calls
          if (call % 7 === 0) return Promise.reject(new Error('not sent'))
          return call % 5 === 0 ? work().then(() => Promise.reject(new Error('the answer was lost'))) : work()
        }
        const given = {
          database: { ...database, transaction: (fn: never) => flaky(() => database.transaction(fn)) },
          store: new Proxy(store, {
            get: (target, method) => {
              const own = (target as unknown as Record<string | symbol, (...all: unknown[]) => Promise<unknown>>)[
                method
              ]
              return method === 'put'
                ? (...all: unknown[]) => flaky(() => (own as typeof flaky).call(target, ...(all as [never])))
                : own?.bind(target)
            },
          }),
        }
        const work = async () => {
          const archive = open(given as never)
          for (;;) {
            const result = await appendItems(archive, items).catch(() => undefined)
            if (result?.kind === 'nothing') return
          }
        }
        await Promise.all([work(), work(), work(), work()])
        expect((await readItems()).toSorted((a, b) => a - b)).toEqual(items)
        const { rows } = await database.query('select item from effects where tenant_id = $1', [tenantId])
        expect(rows.length).toBe(items.length)
        expect(await verify()).toMatchObject({ records: items.length, problems: [] })
      })

      it('names a modified, a truncated and a missing segment, and reads none of them', async () => {
        await appendAll([1, 2, 3, 4, 5, 6, 7, 8, 9])
        const [first, second] = [await bytesOf(keyOf(1)), await bytesOf(keyOf(2))]
        const modified = Buffer.from(first)
        modified[modified.length - 20] = (modified.at(-20) as number) ^ 1
        await store.put(keyOf(1), modified)
        await store.put(keyOf(2), second.subarray(0, second.length - 5))
        await store.delete(keyOf(3))
        const { problems } = await verify()
        expect(problems.map(({ kind, key }) => [kind, key])).toEqual([
          ['modified', keyOf(1)],
          ['truncated', keyOf(2)],
          ['missing', keyOf(3)],
          ['cut', keyOf(3)],
        ])
        const segments = await findSegments(database, { tenantId, stream: 'logs', fromMs: 0, toMs: 1e15 })
        const codes = await Promise.all(
          segments.map((segment) =>
            open()
              .read(segment)
              .catch(({ code }) => code),
          ),
        )
        expect(codes).toEqual(['ARCHIVE_CORRUPT', 'ARCHIVE_TRUNCATED', 'ARCHIVE_SEGMENT_MISSING'])
      })

      it('names every segment of a chain that was written again from some segment on, and a chain that was cut at its end', async () => {
        await appendAll([1, 2, 3, 4, 5, 6])
        const real = await bytesOf(keyOf(2))
        await database.query(`create table if not exists saved as select * from archive_chains where false`)
        // Somebody with the keys writes another second segment.
        await database.query('insert into saved select * from archive_chains where tenant_id = $1', [tenantId])
        await store.delete(keyOf(2))
        const cut = await verify()
        expect(cut.problems.map(({ kind }) => kind)).toEqual(['missing', 'cut'])
        const forged = real.toString('latin1').replace('"records":3', '"records":4')
        await store.put(keyOf(2), Buffer.from(forged, 'latin1'))
        const { problems } = await verify()
        expect(problems.map(({ kind, seq }) => [kind, seq])).toEqual([['modified', 2]])
        await store.put(keyOf(2), real)
        await store.put(keyOf(4), real)
        expect((await verify()).problems.map(({ seq }) => seq)).toEqual([3, 4])
      })

      it('refuses to append after an object that does not continue the chain, and names the object', async () => {
        await appendAll([1, 2, 3])
        await store.put(keyOf(2), await bytesOf(keyOf(1)))
        await expect(appendItems(open(), [1, 2, 3, 4])).rejects.toMatchObject({
          code: 'ARCHIVE_CORRUPT',
          message: expect.stringContaining(keyOf(2)),
        })
        await store.delete(keyOf(2))
        await appendAll([1, 2, 3, 4])
        expect(await readItems()).toEqual([1, 2, 3, 4])
      })

      it('deletes segments and keeps their entries in a tombstone, so that the chain can still be verified', async () => {
        await appendAll([1, 2, 3, 4, 5, 6, 7])
        expect(await open().bury(chain(), { seqs: [1, 3], reason: 'retention', isAllowed: async () => true })).toBe(
          true,
        )
        expect(await verify()).toEqual({ chain: chain(), segments: 1, records: 3, deleted: 2, problems: [] })
        expect(await readItems()).toEqual([4, 5, 6])
        expect(await store.head(keyOf(1))).toBeUndefined()
        await appendAll([1, 2, 3, 4, 5, 6, 7, 8])
        expect((await verify()).problems).toEqual([])
        await store.delete(keyOf(2))
        expect((await verify()).problems.map(({ kind, seq }) => [kind, seq])).toEqual([['missing', 2]])
      })

      it('deletes segments of which the object is missing or damaged, so that retention goes on', async () => {
        await appendAll([1, 2, 3, 4, 5, 6])
        await store.delete(keyOf(1))
        await store.put(keyOf(2), Buffer.from('damaged'))
        expect(await open().bury(chain(), { seqs: [1, 2], reason: 'retention', isAllowed: async () => true })).toBe(
          true,
        )
        expect(await verify()).toMatchObject({ segments: 0, deleted: 2, problems: [] })
      })

      it('deletes nothing when the decision in the transaction is no', async () => {
        await appendAll([1, 2, 3])
        expect(await open().bury(chain(), { seqs: [1], reason: 'retention', isAllowed: async () => false })).toBe(false)
        expect(await verify()).toMatchObject({ segments: 1, deleted: 0, problems: [] })
      })

      it('completes a tombstone that was stored by a process that ended, with the next append', async () => {
        await appendAll([1, 2, 3])
        const dying = {
          ...database,
          transaction: async (fn: (tx: never) => Promise<unknown>) =>
            await database.transaction(async (tx) => {
              await fn(tx as never)
              throw new Error('the process ended')
            }),
        }
        const archive = open({ database: dying as never })
        const request = { seqs: [1], reason: 'retention', isAllowed: async () => true }
        await expect(archive.bury(chain(), request)).rejects.toThrow('the process ended')
        expect((await verify()).problems).toEqual([])
        await appendAll([1, 2, 3, 4])
        expect(await readItems()).toEqual([4])
        await open().removeBuried(chain(), [1])
        expect(await verify()).toMatchObject({ segments: 1, deleted: 1, problems: [] })
      })

      it('can be read with the object store and the master key alone, after the database was lost', async () => {
        await appendAll([1, 2, 3, 4, 5, 6, 7])
        await open().bury(chain(), { seqs: [2], reason: 'retention', isAllowed: async () => true })
        const before = await database.query('select * from archive_segments where tenant_id = $1 order by seq', [
          tenantId,
        ])
        await database.query('delete from archive_segments where tenant_id = $1', [tenantId])
        await database.query('delete from archive_chains where tenant_id = $1', [tenantId])
        const { entries, problems } = await open().rebuild(() => [])
        expect(entries).toBeGreaterThanOrEqual(4)
        // Tests before this one have damaged chains of other tenants.
        expect(problems.filter((problem) => problem.includes(`tenant=${tenantId}/`))).toEqual([])
        const after = await database.query('select * from archive_segments where tenant_id = $1 order by seq', [
          tenantId,
        ])
        expect(after.rows).toEqual(before.rows)
        expect(sum(await readItems())).toBe(1 + 2 + 3 + 7)
        expect((await verify()).problems).toEqual([])
      })

      it('is unreadable without the master key, and says so', async () => {
        await appendAll([1, 2, 3])
        const strange = new TenantKeys({ store, wrapper: createMasterKeys([randomBytes(32)]) })
        const report = await verifyChain(chain(), { database, store, keys: strange })
        expect(report.problems.map(({ kind, reason }) => [kind, reason])).toEqual([
          ['unreadable', expect.stringMatching(/^the master key [0-9a-f]{16} is not among/)],
        ])
      })

      it('shows a reader of one tenant nothing of the segments of another tenant', async () => {
        await appendAll([1, 2, 3])
        const own = await database.withTenant(tenantId, (tx) =>
          findSegments(tx, { stream: 'logs', fromMs: 0, toMs: 1e15 }),
        )
        expect(own.map((segment) => segment.tenantId)).toEqual([tenantId])
      })
    })
})
