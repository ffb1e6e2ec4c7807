import { once } from 'node:events'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { FILE_START, type RecordFormat } from '@millrace/import-files'
import { silentLogger } from '@millrace/logger'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import fc from 'fast-check'
import type { ImportJob, ImportSettings } from '../src/jobs/import-job.js'
import { addJob, askJob, claimJob, readJob } from '../src/jobs/job-statements.js'
import { runJob } from '../src/stages/run-job.js'

const TENANT = 7
const CSV: RecordFormat = {
  layout: 'delimited',
  delimiter: ',',
  quote: '"',
  escape: 'double',
  lineEnding: 'lf',
  columns: 4,
  missingCells: 'reject',
  nullText: '',
  skipSpaces: false,
  hasHeader: true,
}
const HEADER = 'user_id,name,score,signed_up_at\n'
const SETTINGS: ImportSettings = {
  entity: 'users',
  source: 'users.csv',
  compression: 'none',
  encoding: 'utf-8',
  format: CSV,
  mapping: [
    { to: 'user_id', from: [1], steps: [{ step: 'trim' }] },
    { to: 'name', from: [2] },
    { to: 'score', from: [3] },
    { to: 'signed_up_at', from: [4] },
  ],
  mode: 'upsert',
  duplicates: 'last',
  isAtomic: false,
  isDryRun: false,
}

let testDatabase: TestDatabase
let database: Database
/** What the object store holds. */
const sources = new Map<string, Buffer>()

interface RunOptions {
  /** Ends the source with an error after these many bytes, as a worker that dies would. */
  readonly failAfter?: number
}

function storeOf({ failAfter }: RunOptions) {
  return {
    get: async (key: string) => {
      const bytes = sources.get(key) as Buffer
      const pieces = Array.from({ length: Math.ceil(bytes.length / 1000) }, (_, index) =>
        bytes.subarray(index * 1000, (index + 1) * 1000),
      )
      async function* body() {
        let sent = 0
        for (const piece of pieces) {
          yield piece
          sent += piece.length
          if (failAfter !== undefined && sent > failAfter) throw new Error('the object store is gone')
        }
      }
      return { info: { key, bytes: bytes.length, modifiedAt: new Date(0) }, body: Readable.from(body()) }
    },
  }
}

async function start(text: string, changes: Partial<ImportSettings> = {}): Promise<string> {
  const settings = { ...SETTINGS, ...changes }
  sources.set(settings.source, Buffer.from(text))
  return await addJob(database, TENANT, settings)
}

async function work(options: RunOptions = {}): Promise<void> {
  const job = (await claimJob(database, 60_000)) as ImportJob
  await runJob(job, {
    database,
    sources: storeOf(options),
    logger: silentLogger,
    signal: new AbortController().signal,
    now: Date.now,
  })
}

/** Lets the lease of a worker that has died end. */
const expireLease = async (id: string) => {
  await database.query('update data_import_jobs set lease_until = null where job_id = $1', [id])
}

async function importText(text: string, changes: Partial<ImportSettings> = {}): Promise<ImportJob> {
  const id = await start(text, changes)
  await work()
  return await readJob(database, id)
}

async function undo(id: string): Promise<ImportJob> {
  await askJob(database, { id, tenantId: TENANT }, 'undo')
  await work()
  return await readJob(database, id)
}

async function users(): Promise<string[]> {
  const { rows } = await database.query<{ row: string }>(
    `select concat_ws('|', user_id, coalesce(name, '∅'), score, to_char(signed_up_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as row
     from users where tenant_id = $1 order by user_id`,
    [TENANT],
  )
  return rows.map(({ row }) => row)
}

/** Every column of every user. */
async function wholeTable(): Promise<unknown[]> {
  const { rows } = await database.query('select * from users order by tenant_id, user_id')
  return rows
}

async function rejects(id: string): Promise<string[]> {
  const { rows } = await database.query<{
    line: bigint
    code: string
    column_name: string | null
    value: string | null
  }>('select line, code, column_name, value from import_rejects where job_id = $1 order by record, fault', [id])
  return rows.map(({ line, code, column_name, value }) => `${line} ${code} ${column_name ?? '-'} ${value ?? '-'}`)
}

async function stagingTables(): Promise<number> {
  return (
    await database.query("select from pg_class where relname like 'import\\_%' and relkind = 'r' and relname ~ '\\d$'")
  ).rowCount
}

const rowsOf = (count: number, value = 'n') =>
  HEADER +
  Array.from({ length: count }, (_, index) => `u${index},${value}${index},${index}.50,2024-01-01T00:00:00Z\n`).join('')

describe('an import', () => {
  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
  })

  afterAll(async () => {
    await database?.close()
    await testDatabase?.release()
  })

  beforeEach(async () => {
    await database.query('delete from data_import_jobs')
    await database.query('delete from users')
    await database.query('delete from povs')
  })

  it('loads the valid records of a file and names the fault, line and column of every other one', async () => {
    const text = `${HEADER}u1,Ann,1.5,2024-02-29T10:00:00+02:00\nu2,Bob\nu3,Cy,x,2024-02-30\n ,Di,2,2024-01-01\nu5,"",,\n`
    const job = await importText(text)
    expect(job).toMatchObject({
      state: 'completed_with_rejects',
      counts: { read: 5, rejected: 3, created: 2, updated: 0, unchanged: 0 },
    })
    expect(await users()).toEqual(['u1|Ann|1.5|2024-02-29 08:00', 'u5|'])
    expect(await rejects(job.id)).toEqual([
      '3 column_count - u2,Bob\n',
      '4 not_a_number score x',
      '4 not_a_timestamp signed_up_at 2024-02-30',
      '5 required user_id ',
    ])
    expect(await stagingTables()).toBe(0)
  })

  it('adds, changes and leaves rows, and keeps columns that are not mapped', async () => {
    await importText(rowsOf(3))
    await database.query("update users set email = 'a@b.c'")
    const job = await importText('id,name\nu1,new\nu2,n2\nu9,nine\n', {
      format: { ...CSV, columns: 2 },
      mapping: [
        { to: 'user_id', from: [1] },
        { to: 'name', from: [2] },
      ],
    })
    expect(job.counts).toMatchObject({ created: 1, updated: 1, unchanged: 1 })
    expect(await users()).toEqual([
      'u0|n0|0.50|2024-01-01 00:00',
      'u1|new|1.50|2024-01-01 00:00',
      'u2|n2|2.50|2024-01-01 00:00',
      'u9|nine',
    ])
    expect((await database.query("select from users where email = 'a@b.c'")).rowCount).toBe(3)
  })

  it('rejects keys that exist when it only inserts', async () => {
    await importText(rowsOf(2))
    const job = await importText(rowsOf(4, 'x'), { mode: 'insert' })
    expect(job).toMatchObject({ state: 'completed_with_rejects', counts: { created: 2, updated: 0, rejected: 2 } })
    expect(await rejects(job.id)).toEqual(['2 already_exists user_id u0', '3 already_exists user_id u1'])
    expect(await users()).toEqual([
      'u0|n0|0.50|2024-01-01 00:00',
      'u1|n1|1.50|2024-01-01 00:00',
      'u2|x2|2.50|2024-01-01 00:00',
      'u3|x3|3.50|2024-01-01 00:00',
    ])
  })

  it.each([
    ['last', ['u1|c', 'u2|x'], ['2 duplicate_in_file user_id u1', '4 duplicate_in_file user_id u1']],
    ['first', ['u1|a', 'u2|x'], ['4 duplicate_in_file user_id u1', '5 duplicate_in_file user_id u1']],
    [
      'reject',
      ['u2|x'],
      ['2 duplicate_in_file user_id u1', '4 duplicate_in_file user_id u1', '5 duplicate_in_file user_id u1'],
    ],
  ] as const)(
    'loads of records with one key the one that the rule %s names, and rejects the others',
    async (duplicates, expected, losers) => {
      const job = await importText(`${HEADER}u1,a,,\nu2,x,,\nu1,b,,\nu1,c,,\n`, { duplicates })
      expect(await users()).toEqual(expected)
      expect(await rejects(job.id)).toEqual(losers)
    },
  )

  it('rejects references to rows that do not exist', async () => {
    await importText(`${HEADER}u1,a,,\n`)
    const job = await importText(
      'id,name,customer,owner,status\np1,n,c,u1,active\np2,n,c,u9,active\np3,n,c,,won\np4,n,c,u1,open\n',
      {
        entity: 'povs',
        format: { ...CSV, columns: 5 },
        mapping: ['pov_id', 'name', 'customer', 'owner_id', 'status'].map((to, index) => ({ to, from: [index + 1] })),
      },
    )
    expect(job.counts).toMatchObject({ created: 2, rejected: 2 })
    expect(await rejects(job.id)).toEqual(['3 reference_missing owner_id u9', '5 not_allowed status open'])
  })

  it('loads nothing when it is atomic and a record is rejected', async () => {
    const job = await importText(`${rowsOf(10)}u99\n`, { isAtomic: true })
    expect(job).toMatchObject({
      state: 'failed',
      counts: { rejected: 1, created: 0 },
      error: expect.stringContaining('all or nothing'),
    })
    expect(await users()).toEqual([])
    expect(await importText(rowsOf(10), { isAtomic: true })).toMatchObject({
      state: 'completed',
      counts: { created: 10 },
    })
  })

  it('replaces the rows of the tenant, and of no other', async () => {
    await importText(rowsOf(5))
    await database.query("insert into users (tenant_id, user_id) values (8, 'other')")
    const job = await importText(rowsOf(2, 'new'), { mode: 'replace' })
    expect(job).toMatchObject({ state: 'completed', counts: { updated: 2, deleted: 3 } })
    expect(await users()).toEqual(['u0|new0|0.50|2024-01-01 00:00', 'u1|new1|1.50|2024-01-01 00:00'])
    expect((await database.query('select from users where tenant_id = 8')).rowCount).toBe(1)
  })

  it('counts what it would do in a dry run, and changes nothing', async () => {
    await importText(rowsOf(5))
    const before = await wholeTable()
    const text = `${rowsOf(3)}u3,new,,\nu8,new,,\nu9,x,bad,\n`
    const expected = { read: 6, rejected: 1, created: 1, updated: 1, unchanged: 3, deleted: 0 }
    expect(await importText(text, { isDryRun: true })).toMatchObject({
      state: 'completed_with_rejects',
      counts: expected,
    })
    expect((await importText(rowsOf(3), { isDryRun: true, mode: 'replace' })).counts).toMatchObject({
      unchanged: 3,
      deleted: 2,
    })
    expect((await importText(rowsOf(6), { isDryRun: true, mode: 'insert' })).counts).toMatchObject({
      created: 1,
      rejected: 5,
    })
    expect(await wholeTable()).toEqual(before)
  })

  it('fails when more records are rejected than allowed', async () => {
    const job = await importText(`${HEADER}${'bad\n'.repeat(5)}`, { rejectsMax: 4 })
    expect(job).toMatchObject({ state: 'failed', error: expect.stringContaining('at most 4') })
  })

  it('is refused when its entity or its mapping does not exist', async () => {
    await expect(start('', { entity: 'userz' })).rejects.toThrow(
      'there is no entity userz: there are users, povs, trrs',
    )
    await expect(start('', { mapping: [{ to: 'nmae', from: [1] }] })).rejects.toThrow('users has no column nmae')
  })

  it('succeeds for a header alone and for an empty file', async () => {
    expect(await importText(HEADER)).toMatchObject({ state: 'completed', counts: { read: 0, created: 0 } })
    expect(await importText('')).toMatchObject({ state: 'completed', counts: { read: 0 } })
  })

  describe('that is undone', () => {
    it('leaves every row as it was before the import, in every mode', async () => {
      await importText(rowsOf(20))
      await database.query("update users set email = 'kept@example.com', score = 1.10 where user_id in ('u3', 'u4')")
      const before = await wholeTable()
      for (const changes of [
        {},
        { mode: 'insert' },
        { mode: 'replace' },
        { isAtomic: true },
      ] as Partial<ImportSettings>[]) {
        const job = await importText(
          `${HEADER}u1,x,,\nu2,n2,2.50,2024-01-01\nu3,y,9,\nu77,z,,\n`.replace(
            changes.mode === 'insert' ? /u[123].*\n/g : /$^/,
            '',
          ),
          changes,
        )
        expect(job.state).toBe('completed')
        expect(await wholeTable()).not.toEqual(before)
        expect(await undo(job.id)).toMatchObject({ state: 'undone', keptRows: 0 })
        expect(await wholeTable()).toEqual(before)
      }
    })

    it('keeps rows that were changed after the import, and counts them', async () => {
      await importText(rowsOf(3))
      const job = await importText(`${HEADER}u0,x,,\nu1,x,,\nu8,x,,\nu9,x,,\n`)
      await database.query("update users set name = 'by hand' where user_id in ('u1', 'u9')")
      expect(await undo(job.id)).toMatchObject({ state: 'undone', keptRows: 2 })
      expect(await users()).toEqual([
        'u0|n0|0.50|2024-01-01 00:00',
        'u1|by hand',
        'u2|n2|2.50|2024-01-01 00:00',
        'u9|by hand',
      ])
    })

    it('can be undone after a later import was, and its rows are kept while a later import has changed them', async () => {
      const first = await importText(rowsOf(2))
      const second = await importText(rowsOf(2, 'second'))
      expect(await undo(first.id)).toMatchObject({ keptRows: 2 })
      expect(await undo(second.id)).toMatchObject({ keptRows: 0 })
      expect(await users()).toEqual(['u0|n0|0.50|2024-01-01 00:00', 'u1|n1|1.50|2024-01-01 00:00'])
    })
  })

  describe('whose worker dies', () => {
    const text = `${rowsOf(3000)}bad\nu5,again,,\n`

    it('goes on where it was, and gives the same rows and rejects', async () => {
      const undisturbed = await importText(text)
      const [expectedRows, expectedRejects] = [await users(), await rejects(undisturbed.id)]
      await database.query('delete from users')
      const id = await start(text)
      for (const failAfter of [10_000, 60_000, 90_000]) {
        await expect(work({ failAfter })).rejects.toThrow('the object store is gone')
        await expireLease(id)
      }
      expect((await readJob(database, id)).checkpoint).not.toEqual(FILE_START)
      await work()
      expect(await readJob(database, id)).toMatchObject({ state: 'completed_with_rejects', counts: undisturbed.counts })
      expect(await users()).toEqual(expectedRows)
      expect(await rejects(id)).toEqual(expectedRejects)
    })

    it('is read again from the source when PostgreSQL has emptied the staging table, also after some rows were loaded', async () => {
      await importText(rowsOf(100, 'old'))
      const id = await start(text)
      const claimed = (await claimJob(database, 60_000)) as ImportJob
      // Ends the job in the middle of loading, after its first batches.
      const stop = new AbortController()
      const failing = new Proxy(database, {
        get: (target, name) => {
          const member = Reflect.get(target, name) as unknown
          if (name !== 'transaction') return typeof member === 'function' ? member.bind(target) : member
          return async (...args: Parameters<Database['transaction']>) => {
            const { loadedBlocks } = await readJob(target, id)
            if (loadedBlocks > 0) throw new Error('the worker is gone')
            return await target.transaction(...args)
          }
        },
      })
      await expect(
        runJob(claimed, {
          database: failing,
          sources: storeOf({}),
          logger: silentLogger,
          signal: stop.signal,
          now: Date.now,
        }),
      ).rejects.toThrow('the worker is gone')
      const partly = await readJob(database, id)
      expect(partly.loadedBlocks).toBeGreaterThan(0)
      expect(partly.counts.created).toBeLessThan(2900)
      await database.query(`truncate import_staging_${id}, import_excluded_${id}`)
      await expireLease(id)
      await work()
      expect(await readJob(database, id)).toMatchObject({
        state: 'completed_with_rejects',
        counts: { read: 3002, rejected: 2, created: 2900, updated: 100, unchanged: 0 },
      })
      expect(await users()).toHaveLength(3000)
      expect(await undo(id)).toMatchObject({ state: 'undone', keptRows: 0 })
      expect(await users()).toHaveLength(100)
    })

    it('is not written any more by a worker whose lease has ended', async () => {
      const id = await start(rowsOf(10))
      const first = (await claimJob(database, 60_000)) as ImportJob
      let second: ImportJob | undefined
      const deps = { database, logger: silentLogger, signal: new AbortController().signal, now: Date.now }
      // The other worker takes the import over while this one has the source open.
      const sources = {
        get: async (key: string) => {
          await expireLease(id)
          second = await claimJob(database, 60_000)
          return await storeOf({}).get(key)
        },
      }
      await expect(runJob(first, { ...deps, sources })).rejects.toMatchObject({ code: 'IMPORT_LOST' })
      expect(await readJob(database, id)).toMatchObject({ counts: { read: 0 } })
      await runJob(second as ImportJob, { ...deps, sources: storeOf({}) })
      expect(await readJob(database, id)).toMatchObject({ state: 'completed', counts: { read: 10, created: 10 } })
      await expect(runJob(first, { ...deps, sources: storeOf({}) })).rejects.toMatchObject({ code: 'IMPORT_LOST' })
    })
  })

  describe('that a person interrupts', () => {
    it('pauses, goes on and ends with the same rows', async () => {
      const id = await start(rowsOf(3000))
      const claimed = (await claimJob(database, 60_000)) as ImportJob
      await askJob(database, { id, tenantId: TENANT }, 'pause')
      await runJob(claimed, {
        database,
        // A source that gives nothing until the worker has seen the wish.
        sources: {
          get: async (_key, options) => {
            const signal = options?.signal as AbortSignal
            if (!signal.aborted) await once(signal, 'abort')
            throw signal.reason
          },
        },
        logger: silentLogger,
        signal: new AbortController().signal,
        now: Date.now,
      })
      expect(await readJob(database, id)).toMatchObject({ state: 'paused', request: undefined })
      expect(await users()).toEqual([])
      await askJob(database, { id, tenantId: TENANT }, 'resume')
      await work()
      expect(await readJob(database, id)).toMatchObject({ state: 'completed', counts: { created: 3000 } })
    })

    it('is cancelled at once while no worker has it, and cannot be resumed', async () => {
      const id = await start(rowsOf(3))
      await askJob(database, { id, tenantId: TENANT }, 'cancel')
      expect(await readJob(database, id)).toMatchObject({ state: 'cancelled' })
      expect(await claimJob(database, 1000)).toBeUndefined()
      await expect(askJob(database, { id, tenantId: TENANT }, 'resume')).rejects.toMatchObject({
        code: 'IMPORT_STATE_CONFLICT',
      })
      await expect(askJob(database, { id, tenantId: 8 }, 'undo')).rejects.toMatchObject({ code: 'IMPORT_NOT_FOUND' })
    })
  })

  it('accepts or rejects every record of any file, and ends with the rows that a simple model has', async () => {
    const cell = fc.constantFrom(
      'u1',
      'u2',
      'u3',
      '',
      'x',
      '7',
      '1e2',
      '-3.5',
      '2024-01-05',
      '"a\nb"',
      '"',
      'ä',
      '"q""q"',
      '1,5',
      '0000-00-00',
      '9'.repeat(120),
    )
    const text = fc
      .array(fc.tuple(cell, cell, cell, cell), { maxLength: 12 })
      .map((rows) => HEADER + rows.map((row) => `${row.join(',')}\n`).join(''))
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.constantFrom('insert' as const, 'upsert' as const, 'replace' as const),
        async (content, mode) => {
          const before = await users()
          const job = await importText(content, { mode })
          const { read, rejected, created, updated, unchanged } = job.counts
          if (job.state === 'failed') {
            expect(mode).toBe('replace')
            expect(await users()).toEqual(before)
            return
          }
          expect(created + updated + unchanged + rejected).toBe(read)
          expect(
            (await database.query('select distinct record from import_rejects where job_id = $1', [job.id])).rowCount,
          ).toBe(rejected)
          expect(await undo(job.id)).toMatchObject({ keptRows: 0 })
          expect(await users()).toEqual(before)
          await importText(content, { mode })
        },
      ),
      { numRuns: 60 },
    )
  })
})
