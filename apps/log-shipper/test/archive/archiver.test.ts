import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Archive, createMasterKeys, findChains, findSegments, TenantKeys, verifyChain } from '@millrace/archive'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { type ObjectStore, openObjectStore } from '@millrace/object-store'
import { createRetention } from '@millrace/retention'
import { createMetrics } from '@millrace/telemetry'
import { createTestDatabase, findTestS3, startTestS3, type TestDatabase, waitFor } from '@millrace/testing'
import { ArchiveMetrics } from '../../src/archive/archive-metrics.js'
import { createArchiver } from '../../src/archive/archiver.js'
import { decodeChunkRows, encodeChunkRows } from '../../src/archive/chunk-payload.js'
import { createColdRetention } from '../../src/archive/cold-retention.js'
import { logRetentionRules } from '../../src/store/log-retention.js'
import { startShipper } from '../start-shipper.js'

const DAY_MS = 86_400_000
const NOW = Date.now()
const { signal } = new AbortController()
const wrapper = createMasterKeys([randomBytes(32)])

/** Opens the store that each test wants, and gives everything back. */
async function withArchive(work: (given: Given) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-log-archive-'))
  const test: TestDatabase = await createTestDatabase({ migrate })
  const database = openDatabase({ url: test.url })
  const store = await openObjectStore({ driver: 'file', directory })
  const keys = new TenantKeys({ store, wrapper })
  const archive = new Archive({ database, store, keys, now: () => new Date() })
  try {
    await work({ database, store, keys, archive, open: async () => archive })
  } finally {
    await store.close()
    await database.close()
    await test.release()
    rmSync(directory, { recursive: true })
  }
}

interface Given {
  readonly database: Database
  readonly store: ObjectStore
  readonly keys: TenantKeys
  readonly archive: Archive
  readonly open: () => Promise<Archive>
}

/** Rows of log_chunks whose data is not looked at. */
async function insertChunks(
  database: Database,
  chunks: readonly {
    tenant?: number
    lines?: number
    levels?: number
    timeMs?: number
    storedMs?: number
    bytes?: number
  }[],
): Promise<void> {
  const dayPartitions = new DayPartitions(database)
  for (const { tenant = 1, lines = 10, levels = 8, timeMs = NOW, storedMs = NOW, bytes = 100 } of chunks) {
    const day = Math.floor(timeMs / DAY_MS) * DAY_MS
    await dayPartitions.ensure('log_chunks', day, day)
    await database.query(
      `insert into log_chunks (tenant_id, day, first_ms, last_ms, lines, levels, services, data, stored_at)
       values ($1, to_timestamp($2), $3, $3, $4, $5, $8, $6, to_timestamp($7))`,
      [tenant, day / 1000, timeMs, lines, levels, randomBytes(bytes), storedMs / 1000, ['cart', 'a "b"']],
    )
  }
}

const archiverOf = (given: Given, more: { sealSeconds?: number; sealLines?: number; segmentBytes?: number } = {}) =>
  createArchiver(
    { stream: 'logs', sealSeconds: 1, ...more },
    { ...given, metrics: new ArchiveMetrics(createMetrics({ service: 'test' })), logger: silentLogger },
  )

/** Every chunk in the archive, by its id. */
async function readArchived({ database, archive }: Given): Promise<Map<string, Readonly<Record<string, unknown>>>> {
  const found = new Map<string, Readonly<Record<string, unknown>>>()
  for (const segment of await findSegments(database, { stream: 'logs', fromMs: 0, toMs: 1e15 }))
    for (const row of decodeChunkRows(await archive.read(segment))) {
      expect(found.has(String(row.chunk_id))).toBe(false)
      found.set(String(row.chunk_id), row)
    }
  return found
}

async function expectWhole({ database, store, keys }: Given): Promise<void> {
  for (const chain of await findChains(database))
    expect((await verifyChain(chain, { database, store, keys })).problems).toEqual([])
}

const HOUR = Math.floor(NOW / 3_600_000) * 3_600_000
const EARLIER = HOUR - 3_600_000

describe('the archiver of log lines', () => {
  it('seals the chunks of each tenant and hour of arrival in segments of their own, with all columns', async () => {
    await withArchive(async (given) => {
      const { database } = given
      await insertChunks(database, [
        { storedMs: EARLIER, levels: 8 | 32 },
        { storedMs: EARLIER + 1000, lines: 5, timeMs: NOW - 3 * DAY_MS },
        { storedMs: EARLIER - 3_600_000 },
        { storedMs: EARLIER, tenant: 2 },
      ])
      await archiverOf(given)(signal)
      const segments = await findSegments(database, { stream: 'logs', fromMs: 0, toMs: 1e15 })
      expect(
        segments.map(({ tenantId, records, labels, hour }) => [tenantId, records, labels, hour.getTime()]),
      ).toEqual(
        expect.arrayContaining([
          [1, 15, ['info', 'error'], EARLIER],
          [1, 10, ['info'], EARLIER - 3_600_000],
          [2, 10, ['info'], EARLIER],
        ]),
      )
      const { rows } = await database.query<{
        chunk_id: bigint
        data: Buffer
        day: Date
        services: string[]
        archive_state: number
      }>('select * from log_chunks')
      const archived = await readArchived(given)
      expect(archived.size).toBe(4)
      for (const row of rows) {
        const copy = archived.get(String(row.chunk_id))
        expect(copy).toMatchObject({ day: row.day.toISOString(), services: row.services, archive_state: 0 })
        expect(row.data.equals(copy?.data as Buffer)).toBe(true)
        expect(row.archive_state).toBe(1)
      }
      await archiverOf(given)(signal)
      expect((await readArchived(given)).size).toBe(4)
      await expectWhole(given)
    })
  })

  it('waits until the oldest chunk of an hour is old enough, or until there are enough lines', async () => {
    await withArchive(async (given) => {
      const { database } = given
      await insertChunks(database, [{ lines: 10 }, { lines: 10 }])
      await archiverOf(given, { sealSeconds: 3600 })(signal)
      expect((await readArchived(given)).size).toBe(0)
      const { rows } = await database.query('select pending_records, reason from archive_status')
      expect(rows).toEqual([{ pending_records: 20n, reason: null }])
      await archiverOf(given, { sealSeconds: 3600, sealLines: 20 })(signal)
      expect((await readArchived(given)).size).toBe(2)
    })
  })

  it('ends a segment after its number of bytes, and archives the rest in further segments', async () => {
    await withArchive(async (given) => {
      await insertChunks(
        given.database,
        Array.from({ length: 40 }, () => ({ storedMs: EARLIER, bytes: 1000 })),
      )
      await archiverOf(given, { segmentBytes: 8000 })(signal)
      const segments = await findSegments(given.database, { stream: 'logs', fromMs: 0, toMs: 1e15 })
      expect(segments.map(({ records }) => records)).toEqual([80, 80, 80, 80, 80])
      expect((await readArchived(given)).size).toBe(40)
    })
  })

  it('archives everything once when several processes work at once', async () => {
    await withArchive(async (given) => {
      await insertChunks(
        given.database,
        Array.from({ length: 30 }, () => ({ storedMs: EARLIER })),
      )
      const runs = Array.from({ length: 4 }, () => archiverOf(given, { segmentBytes: 300 })(signal))
      await Promise.all(runs)
      await archiverOf(given)(signal)
      expect((await readArchived(given)).size).toBe(30)
      await expectWhole(given)
    })
  })

  it('archives the lines of other tenants while those of one tenant cannot be archived, and reports why', async () => {
    await withArchive(async (given) => {
      await insertChunks(given.database, [{ storedMs: EARLIER }, { storedMs: EARLIER + 1, tenant: 2 }])
      const key = `segments/tenant=1/stream=logs/day=${new Date(EARLIER).toISOString().slice(0, 10)}/00000001.seg`
      await given.store.put(key, Buffer.from('not a segment at all'))
      await expect(archiverOf(given)(signal)).rejects.toMatchObject({ code: 'ARCHIVE_CORRUPT' })
      expect((await readArchived(given)).size).toBe(1)
      const { rows } = await given.database.query('select pending_records, reason from archive_status')
      expect(rows).toEqual([{ pending_records: 10n, reason: expect.stringContaining(key) }])
      await given.store.delete(key)
      await archiverOf(given)(signal)
      expect((await readArchived(given)).size).toBe(2)
    })
  })
})

describe('the archiver after PostgreSQL was restored from an older backup', () => {
  it('archives new chunks that got the ids of archived ones, and no chunk twice that the backup has as not archived', async () => {
    await withArchive(async (given) => {
      const { database } = given
      await insertChunks(database, [
        { storedMs: EARLIER, lines: 1 },
        { storedMs: EARLIER, lines: 2 },
      ])
      await archiverOf(given)(signal)
      // The backup is from before the archiver ran, and has the first chunk alone.
      await database.query('delete from archive_chains')
      await database.query('delete from archive_segments')
      await database.query('delete from log_chunks where lines = 2')
      await database.query(`update log_chunks set archive_state = 0`)
      await database.query(`select setval('log_chunk_ids', (select max(chunk_id) from log_chunks))`)
      await insertChunks(database, [{ storedMs: EARLIER + 1000, lines: 3 }])
      await archiverOf(given)(signal)
      const lines: number[] = []
      for (const segment of await findSegments(database, { stream: 'logs', fromMs: 0, toMs: 1e15 }))
        for (const row of decodeChunkRows(await given.archive.read(segment))) lines.push(Number(row.lines))
      expect(lines.toSorted((a, b) => a - b)).toEqual([1, 2, 3])
      const { rows } = await database.query('select from log_chunks where archive_state = 0')
      expect(rows).toEqual([])
      await expectWhole(given)
    })
  })
})

describe('the retention of log lines', () => {
  const OLD = NOW - 100 * DAY_MS
  const dropOld = async ({ database }: Given, isArchived: boolean) => {
    const rules = logRetentionRules({ stream: 'logs', retentionMs: 90 * DAY_MS, isArchived })
    await createRetention({ rules, lock: 'test' }, { database, logger: silentLogger, now: Date.now })(signal)
    const { rows } = await database.query('select from log_chunks')
    return rows.length
  }

  it('keeps a day that is not archived until it is, however old it is, and drops it at once when nothing is archived', async () => {
    await withArchive(async (given) => {
      await insertChunks(given.database, [{ timeMs: OLD, storedMs: OLD }])
      expect(await dropOld(given, true)).toBe(1)
      await archiverOf(given)(signal)
      expect(await dropOld(given, true)).toBe(0)
      await insertChunks(given.database, [{ timeMs: OLD, storedMs: OLD }])
      expect(await dropOld(given, false)).toBe(0)
    })
  })

  it('keeps a day with lines under a legal hold that are in no archive', async () => {
    await withArchive(async (given) => {
      const { database } = given
      await insertChunks(database, [{ timeMs: OLD, storedMs: OLD, tenant: 3 }])
      await database.query(`insert into archive_holds (tenant_id, stream, reason) values (3, 'logs', 'case 7')`)
      expect(await dropOld(given, false)).toBe(1)
      await database.query('update archive_holds set released_at = now()')
      expect(await dropOld(given, false)).toBe(0)
    })
  })
})

describe('the retention of archived log lines', () => {
  const deleteExpired = (given: Given, keptDays = 2557) =>
    createColdRetention({ stream: 'logs', keptDays }, { ...given, logger: silentLogger })(signal)
  const years = (count: number) => NOW - count * 365.25 * DAY_MS

  it('deletes segments after seven years, and the chains can still be verified', async () => {
    await withArchive(async (given) => {
      await insertChunks(given.database, [{ storedMs: years(7.1) }, { storedMs: years(6.9) }])
      await archiverOf(given)(signal)
      await deleteExpired(given)
      expect((await readArchived(given)).size).toBe(1)
      await expectWhole(given)
      const keys: string[] = []
      for await (const { key, bytes } of given.store.list({ prefix: 'segments/' }))
        keys.push(`${key.slice(-12)} ${bytes > 0}`)
      expect(keys).toEqual(['00000002.seg true', '00000001.seg true'])
    })
  })

  it('keeps a segment as long as the longest rule of its tenant, stream and levels says', async () => {
    await withArchive(async (given) => {
      const { database } = given
      const old = { storedMs: NOW - 30 * DAY_MS }
      await insertChunks(database, [
        { ...old, levels: 4 },
        { ...old, levels: 4 | 32, storedMs: old.storedMs - 3_600_000 },
        { ...old, tenant: 2 },
        { ...old, tenant: 3 },
      ])
      await archiverOf(given)(signal)
      await database.query(
        `insert into archive_rules (tenant_id, stream, label, kept_days) values (1, 'logs', 'debug', 7), (2, 'logs', '', 7), (3, 'other', '', 7)`,
      )
      await deleteExpired(given)
      const left = await findSegments(database, { stream: 'logs', fromMs: 0, toMs: 1e15 })
      expect(left.map(({ tenantId, labels }) => [tenantId, labels])).toEqual([
        [1, ['debug', 'error']],
        [3, ['info']],
      ])
      await expectWhole(given)
    })
  })

  it('deletes nothing under a legal hold, until the hold is released', async () => {
    await withArchive(async (given) => {
      const { database } = given
      await insertChunks(database, [
        { storedMs: years(8), timeMs: NOW },
        { storedMs: years(8) - 3_600_000, timeMs: NOW - 9 * DAY_MS },
      ])
      await archiverOf(given)(signal)
      await database.query(
        `insert into archive_holds (tenant_id, stream, from_ms, to_ms, reason) values (1, 'logs', $1, null, 'case 7')`,
        [NOW - DAY_MS],
      )
      await deleteExpired(given)
      expect([...(await readArchived(given)).values()].map(({ first_ms }) => Number(first_ms))).toEqual([NOW])
      await database.query('update archive_holds set released_at = now()')
      await deleteExpired(given)
      expect((await readArchived(given)).size).toBe(0)
      await expectWhole(given)
    })
  })
})

describe('the payload of archived chunks', () => {
  it('gives back all columns, and refuses other bytes with a RangeError', () => {
    const rows = [{ chunk_id: 9007199254740993n, day: new Date(0), services: ['a'], none: null, data: randomBytes(50) }]
    const payload = encodeChunkRows(rows)
    expect(decodeChunkRows(payload)).toEqual([
      {
        chunk_id: '9007199254740993',
        day: '1970-01-01T00:00:00.000Z',
        services: ['a'],
        none: null,
        data: rows[0]?.data,
      },
    ])
    for (let length = 0; length < payload.length; length++)
      expect(() => decodeChunkRows(payload.subarray(0, length))).toThrow(RangeError)
    for (let at = 0; at < payload.length; at++) {
      const changed = Buffer.from(payload)
      changed[at] = (changed[at] as number) ^ 0x80
      try {
        decodeChunkRows(changed)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }
  })
})

const found = findTestS3()
if (typeof found === 'string') console.warn(`NOT TESTED: log-shipper with an archive on S3, because ${found}`)
const describeS3 = typeof found === 'string' ? describe.skip : describe

describeS3('log-shipper with an archive on a real S3 server', () => {
  const ROUNDS = 5
  let home: string
  let server: Awaited<ReturnType<typeof startTestS3>>
  let shipper: Awaited<ReturnType<typeof startShipper>>
  let given: Given
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'millrace-archive-keys-'))
    mkdirSync(home, { recursive: true })
    const key = randomBytes(32)
    writeFileSync(join(home, 'keys'), `${key.toString('base64')}\n`)
    server = await startTestS3(found as Exclude<typeof found, string>)
    shipper = await startShipper(() => ({
      ARCHIVE_URL: server.url,
      ARCHIVE_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
      ARCHIVE_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
      ARCHIVE_MASTER_KEYS_FILE: join(home, 'keys'),
      ARCHIVE_SEAL_SECONDS: '1',
      LOG_WINDOW_SECONDS: '0.3',
      LEASE_MS: '2000',
    }))
    const { openObjectStore: openStore, parseObjectStoreUrl } = await import('@millrace/object-store')
    const store = await openStore(parseObjectStoreUrl(server.url), { credentials: server.credentials })
    const keys = new TenantKeys({ store, wrapper: createMasterKeys([key]) })
    const { database } = shipper
    const archive = new Archive({ database, store, keys, now: () => new Date() })
    given = { database, store, keys, archive, open: async () => archive }
  })
  afterAll(async () => {
    await given?.store.close()
    await shipper?.stop()
    await server?.stop()
    rmSync(home, { recursive: true })
  })

  const send = async (round: number, lines: number) => {
    const body = Array.from({ length: lines }, (_, line) =>
      JSON.stringify({ msg: `line ${round}-${line}`, service: `s${line % 3}` }),
    )
    const response = await fetch(`${shipper.origin}/v1/logs/ndjson`, {
      method: 'POST',
      headers: { authorization: `Bearer ${shipper.key}` },
      body: body.join('\n'),
    })
    expect(response.status).toBe(200)
  }
  const archivedLines = async () => {
    const { rows } = await given.database.query<{ stored: bigint; waiting: bigint }>(
      `select coalesce(sum(lines) filter (where archive_state = 1), 0)::bigint as stored,
         coalesce(sum(lines) filter (where archive_state = 0), 0)::bigint as waiting from log_chunks`,
    )
    return { stored: Number(rows[0]?.stored), waiting: Number(rows[0]?.waiting) }
  }

  it('archives every line once while its process is killed at random instants', async () => {
    let sent = 0
    for (let round = 0; round < ROUNDS; round++) {
      await send(round, 200)
      sent += 200
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2500))
      await shipper.service.kill()
      await shipper.service.restart()
    }
    await waitFor(async () => (await archivedLines()).stored === sent, { deadlineMs: 120_000 })
    const archived = await readArchived(given)
    expect([...archived.values()].reduce((sum, { lines }) => sum + Number(lines), 0)).toBe(sent)
    await expectWhole(given)
  })

  it('keeps lines while the object store is down, reports it, and archives them when it is back', async () => {
    const before = (await archivedLines()).stored
    await server.kill()
    await send(100, 50)
    await waitFor(
      async () => {
        const { rows } = await given.database.query<{ reason: string | null }>('select reason from archive_status')
        return rows[0]?.reason !== null && (await archivedLines()).waiting === 50
      },
      { deadlineMs: 120_000 },
    )
    await server.restart()
    await waitFor(async () => (await archivedLines()).stored === before + 50, { deadlineMs: 120_000 })
    await expectWhole(given)
  })
})
