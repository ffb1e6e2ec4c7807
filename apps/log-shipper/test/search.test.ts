import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { columnStoreErrors, foldText, type TextForm } from '@millrace/column-store'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import type { AssignedPartition, NewFrame, ReceivedFrame } from '@millrace/streams'
import { createMetrics } from '@millrace/telemetry'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import fc from 'fast-check'
import { LogFrameBuilder } from '../src/append/log-frame.js'
import { encodeBatch, type LogLine } from '../src/batch/log-batch.js'
import { compareLines } from '../src/batch/log-place.js'
import { ShipperMetrics } from '../src/metrics.js'
import { limitRecord } from '../src/records/record-limits.js'
import { levelIndex } from '../src/records/severity.js'
import { createSearchLogs } from '../src/rpc/search-logs.js'
import type { CompiledQuery, Need } from '../src/search/compiled-query.js'
import { completeLine, type LogRows } from '../src/search/log-rows.js'
import { meets } from '../src/search/match-text.js'
import type { PageRequest } from '../src/search/newest-lines.js'
import { scanLines, searchLines } from '../src/search/search-lines.js'
import { LogChunkBuilder } from '../src/store/build-chunks.js'
import { GROUP_CHUNKS, groupFilters } from '../src/store/group-filters.js'
import { LogsHandler } from '../src/store/logs-handler.js'
import { StreamTail } from '../src/store/stream-tail.js'
import { MemoryTail } from '../src/tail/memory-tail.js'
import { SEARCH_ALL } from './open-log-service.js'

const DAY_MS = 86_400_000
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2
const TENANT = 1
const PRODUCER = '0af76519-16cd-43dd-8448-eb211c80319c'
const WORDS = ['payment', 'failed', 'Order', 'MÜLLER', 'straße', 'a_b', '42', 'order-41', '𝔘nicode', 'quote"d']

let test: TestDatabase
let database: Database

const RULE = { retentionMs: 90 * DAY_MS, provenShare: 1 }

/** A handler with its tail, and what has been given to it. */
class Store {
  readonly tail = new MemoryTail()
  nowMs = 0
  readonly lines: LogLine[] = []
  readonly frames: ReceivedFrame[] = []
  readonly handler
  #sequence = 0
  builder = new LogChunkBuilder(RULE)

  constructor() {
    this.handler = new LogsHandler(
      {
        stream: 'logs',
        group: 'g',
        windowLines: 1_000_000,
        windowMs: 1000,
        tailBytesMax: 1e9,
      },
      {
        database,
        dayPartitions: new DayPartitions(database),
        tail: this.tail,
        build: (batches) => this.builder.build(batches),
        metrics: new ShipperMetrics(createMetrics({ service: 'test' })),
        logger: silentLogger,
        monotonicMs: () => this.nowMs,
      },
    )
  }

  async assign(from: Partial<AssignedPartition> = {}, frames: readonly ReceivedFrame[] = []): Promise<void> {
    const assigned = {
      partition: 0,
      epoch: 1,
      position: '',
      nextOrdinal: 0,
      flushedPosition: '',
      flushedOrdinal: 0,
      ...from,
    }
    await this.handler.assigned([assigned], {
      async *replay() {
        yield* frames
      },
    })
  }

  frame(services: ReadonlyMap<string, readonly Parameters<typeof limitRecord>[0][]>): NewFrame {
    const builder = new LogFrameBuilder()
    const firstOrdinal = this.lines.length
    for (const [service, records] of services) {
      const stored = records.map((record) => limitRecord({ ...record, service }, NOON))
      builder.add({
        tenantId: TENANT,
        service,
        lines: stored.length,
        bytes: encodeBatch(stored),
        firstTimeMs: 0,
        lastTimeMs: 0,
      })
      for (const line of stored) this.lines.push({ ...line, partition: 0, ordinal: this.lines.length })
    }
    const sequence = ++this.#sequence
    const records = builder.records
    const frame = {
      partition: 0,
      position: `${sequence}-0`,
      appendedAtMs: NOON,
      header: { producer: PRODUCER, sequence, records, cumulativeRecords: this.lines.length } as NewFrame['header'],
      payload: builder.seal(Buffer.alloc(0)),
      firstOrdinal,
      watermarkMaxMs: 0,
    }
    this.frames.push(frame)
    return frame
  }

  /** Commits frames, or a flush alone. `between` runs after the commit in the database and before the handler learns of it. */
  async commit(frames: readonly NewFrame[], between: () => Promise<void> = async () => {}): Promise<void> {
    const prepared = this.handler.prepare({ frames, records: 0 })
    await database.transaction((tx) => this.handler.apply(prepared, tx))
    await between()
    this.handler.committed(prepared)
  }

  async flush(between?: () => Promise<void>): Promise<void> {
    this.nowMs += 2000
    await this.commit([], between)
    this.nowMs += 1
  }

  expected(query: CompiledQuery): LogLine[] {
    return this.lines.filter((line) => matches(line, query)).sort((a, b) => compareLines(b, a))
  }

  /** All pages of a search. */
  async search(query: CompiledQuery, { limit = 100, scanMax }: { limit?: number; scanMax?: number } = {}) {
    const found: LogLine[] = []
    let before: PageRequest['before']
    for (let pages = 0; pages < 1000; pages++) {
      const page = await searchLines(
        TENANT,
        { query, limit, before },
        { database, tail: this.tail, ...(scanMax !== undefined && { scanMax }) },
      )
      expect(page.lines.length).toBeLessThanOrEqual(limit)
      found.push(...page.lines)
      if (page.next === undefined) return found
      before = page.next
    }
    throw new Error('the pages do not end')
  }

  /** The lines that a scan shows. */
  async scan(query: CompiledQuery): Promise<LogLine[]> {
    const found: LogLine[] = []
    const visit = (rows: LogRows, matching: readonly number[]) => {
      for (const index of matching) found.push(completeLine(rows.row(index)))
    }
    await scanLines(TENANT, { query, visit }, { database, tail: this.tail })
    return found.sort((a, b) => compareLines(b, a))
  }
}

/** The naive answer. */
function matches(line: LogLine, { fromMs, toMs, levels, services, needs, matches: test }: CompiledQuery): boolean {
  return (
    line.timeMs >= fromMs &&
    line.timeMs < toMs &&
    ((levels >> levelIndex(line.severity)) & 1) === 1 &&
    (services.length === 0 || services.includes(line.service)) &&
    (needs === undefined || meets(line, needs)) &&
    (test === undefined || test(line))
  )
}

const plain = {
  timeMs: NOON,
  timeSubNs: 0,
  severity: 9,
  severityText: '',
  service: '',
  host: '',
  traceId: '',
  spanId: '',
  message: 'x',
  attributes: {},
  flags: 0,
  originalBytes: 0,
}

const everything: CompiledQuery = {
  fromMs: 0,
  toMs: Number.MAX_SAFE_INTEGER,
  levels: 127,
  services: [],
  needs: undefined,
  matches: undefined,
}

const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 4 }).map((words) => words.join(' '))
const record = fc.record({
  timeMs: fc.oneof(
    fc.integer({ min: NOON - 20, max: NOON + 20 }),
    fc.constant(NOON - 3 * DAY_MS),
    fc.constant(NOON - 400 * DAY_MS),
    fc.constant(undefined),
  ),
  timeSubNs: fc.constantFrom(0, 1, 999_999),
  severity: fc.integer({ min: 0, max: 24 }),
  severityText: fc.constantFrom('', 'info'),
  service: fc.constant(''),
  host: fc.constantFrom('a', 'b'),
  traceId: fc.constantFrom('', '0af7651916cd43dd8448eb211c80319c'),
  spanId: fc.constantFrom('', 'b7ad6b7169203331'),
  message: text,
  attributes: fc.oneof(fc.constant({}), fc.record({ n: fc.integer(), deep: fc.record({ text }) })),
  flags: fc.constant(0),
  originalBytes: fc.constant(0),
})
const request = fc.dictionary(fc.constantFrom('cart', 'pay', ''), fc.array(record, { minLength: 1, maxLength: 8 }), {
  minKeys: 1,
})
const leaf: fc.Arbitrary<Need> = fc.oneof(
  fc.record({
    kind: fc.constant('text' as const),
    form: fc.constantFrom<TextForm>('phrase', 'prefix', 'suffix', 'substring'),
    text: fc
      .constantFrom(...WORDS, 'ORD', 'üll', 'ß', '"', 'nicode', 'payment failed', '1', 't f', 'straße order', 'N')
      .map(foldText),
    in: fc.constantFrom('message' as const, 'attributes' as const),
  }),
  fc.record({
    kind: fc.constant('text' as const),
    form: fc.constantFrom<TextForm>('phrase', 'substring'),
    text: fc.constantFrom(...WORDS).map(foldText),
  }),
  fc.constant<Need>({ kind: 'equals', column: 'host', value: 'a' }),
  fc.constant<Need>({ kind: 'equals', column: 'traceId', value: '0af7651916cd43dd8448eb211c80319c' }),
)
const needs = fc.oneof(
  fc.constant(undefined),
  leaf,
  fc.record({ kind: fc.constantFrom('any' as const, 'all' as const), of: fc.array(leaf, { maxLength: 3 }) }),
)
const searches = fc.record<CompiledQuery>({
  fromMs: fc.constantFrom(0, NOON - 5, NOON - 3 * DAY_MS),
  toMs: fc.constantFrom(Number.MAX_SAFE_INTEGER, NOON + 5),
  levels: fc.constantFrom(127, 32, 64 + 1),
  services: fc.constantFrom<readonly string[]>([], ['cart'], ['pay', '']),
  needs,
  matches: fc.constantFrom(undefined, ({ severity }: LogLine) => severity % 2 === 0),
})

describe('the store of log lines', () => {
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
  })
  afterAll(async () => {
    await database?.close()
    await test?.release()
  })

  it('finds exactly the lines that a comparison of all lines finds, in the tail, in chunks, over their borders, and between a commit and the end of its flush', async () => {
    const step = fc.oneof({ weight: 3, arbitrary: request }, { weight: 1, arbitrary: fc.constant('flush' as const) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.array(searches, { minLength: 1, maxLength: 2 }),
        async (steps, queries) => {
          await database.query('truncate log_chunks, log_flushed, ledger_consumed')
          const store = new Store()
          await store.assign()
          const check = async () => {
            for (const one of queries) {
              const places = (lines: readonly LogLine[]) => lines.map(({ ordinal, message }) => [ordinal, message])
              expect(places(await store.search(one))).toEqual(places(store.expected(one)))
            }
          }
          for (const one of steps) {
            if (one === 'flush') await store.flush(check)
            else await store.commit([store.frame(new Map(Object.entries(one)))])
          }
          await check()
          const [one] = queries
          if (one !== undefined) expect(await store.search(one, { scanMax: 1 })).toEqual(store.expected(one))
          expect(await store.search(everything)).toEqual(store.expected(everything))
        },
      ),
      { numRuns: 12 },
    )
  }, 240_000)

  it('rebuilds the tail from the stream after a takeover: each line is found once, and the ledger has each line stored once', async () => {
    await database.query('truncate log_chunks, log_flushed, ledger_consumed')
    const first = new Store()
    await first.assign()
    const of = (message: string) => new Map([['cart', [{ ...plain, message }]]])
    await first.commit([first.frame(of('in a chunk'))])
    await first.flush()
    await first.commit([first.frame(of('only in the stream')), first.frame(of('the same'))])
    const second = new Store()
    // The stream gives an old frame again: its sequence shows that its lines are in a chunk.
    await second.assign({ position: '3-0', nextOrdinal: 3, flushedPosition: '0-0', flushedOrdinal: 1 }, first.frames)
    expect((await second.search(everything)).map(({ message }) => message).sort()).toEqual([
      'in a chunk',
      'only in the stream',
      'the same',
    ])
    await second.flush()
    expect(second.tail.lines).toBe(0)
    expect((await second.search(everything)).length).toBe(3)
    const { rows } = await database.query(
      'select sum(accepted)::int as accepted, sum(stored)::int as stored from ledger_consumed',
    )
    expect(rows).toEqual([{ accepted: 3, stored: 3 }])
  })

  it('makes a dead letter of a frame that cannot be read, and stores the others', async () => {
    await database.query('truncate log_chunks, log_flushed, ledger_consumed, dead_letters')
    const store = new Store()
    await store.assign()
    const one = plain
    const bad = store.frame(new Map([['cart', [one]]]))
    bad.payload.writeUInt8(255, bad.payload.length - 3)
    await store.commit([bad, store.frame(new Map([['cart', [one]]]))])
    await store.flush()
    const { rows } = await database.query('select code, record_index, tenant_id from dead_letters')
    expect(rows).toEqual([{ code: 'frame_unreadable', record_index: -1, tenant_id: 0 }])
    expect((await store.search(everything)).map(({ ordinal }) => ordinal)).toEqual([1])
  })

  it('leaves out chunks whose token filter lacks a word, with single filters and with filters in groups, and finds every line either way', async () => {
    await database.query('truncate log_chunks, log_flushed, ledger_consumed')
    const store = new Store()
    await store.assign()
    for (let number = 0; number < GROUP_CHUNKS + 3; number++) {
      await store.commit([
        store.frame(new Map([['cart', [{ ...plain, message: `order n${number} of word${number % 7}` }]]])),
      ])
      await store.flush()
    }
    const filters = async () =>
      (
        await database.query(
          'select count(filter)::int as single, count(filter_slot)::int as grouped, count(group_filter)::int as groups from log_chunks',
        )
      ).rows[0]
    const check = async () => {
      for (const word of ['n0', 'n17', `n${GROUP_CHUNKS + 2}`, 'word3', 'order', 'absent']) {
        const query = { ...everything, needs: { kind: 'text', form: 'phrase', text: word } } as const
        expect(await store.search(query)).toEqual(store.expected(query))
        const { scanned, skipped, total } = await searchLines(
          TENANT,
          { query, limit: 1, before: undefined },
          { database, tail: store.tail },
        )
        expect(scanned + skipped).toBeLessThanOrEqual(GROUP_CHUNKS + 3)
        if (/^n|absent/.test(word)) {
          // Some filters say of a few words that they may be there.
          expect(scanned).toBeLessThan(30)
          expect(scanned + skipped).toBe(GROUP_CHUNKS + 3)
          expect(total).toBe(word === 'absent' ? 0 : 1)
        }
      }
    }
    expect(await filters()).toEqual({ single: GROUP_CHUNKS + 3, grouped: 0, groups: 0 })
    await check()
    expect(await groupFilters(database)).toBe(1)
    expect(await groupFilters(database)).toBe(0)
    expect(await filters()).toEqual({ single: 3, grouped: GROUP_CHUNKS, groups: 1 })
    await check()
  }, 120_000)

  it('finds the lines of chunks that an older version wrote, and those of chunks that could not be built as columns', async () => {
    await database.query('truncate log_chunks, log_flushed, ledger_consumed')
    const store = new Store()
    await store.assign()
    store.builder = new LogChunkBuilder(RULE, {
      add: () => undefined,
      finish: () => {
        throw columnStoreErrors.COLUMN_CHUNK_UNPROVEN({ message: 'a chunk does not decode to its rows' })
      },
    })
    const lines = ['first', 'second failed', 'third'].map((message, index) => ({
      ...plain,
      timeMs: NOON + index,
      message,
    }))
    await store.commit([store.frame(new Map([['cart', lines]]))])
    await store.flush()
    expect(
      (await database.query('select count(data)::int as old, count(head)::int as columns from log_chunks')).rows,
    ).toEqual([{ old: 1, columns: 0 }])
    for (const text of ['failed', 'absent']) {
      const query = { ...everything, needs: { kind: 'text', form: 'phrase', text } } as const
      expect(await store.search(query)).toEqual(store.expected(query))
    }
    expect(await store.search(everything)).toEqual(store.expected(everything))
  })

  it('names the partitions whose lines are missing when the stream cannot be read, and finds the rest', async () => {
    await database.query('truncate log_chunks, log_flushed, ledger_consumed')
    const store = new Store()
    await store.assign()
    await store.commit([store.frame(new Map([['cart', [plain]]]))])
    const streamTail = new StreamTail(
      { group: 'g', stream: 'logs', partitions: 3, bytesMax: 1e6 },
      {
        database,
        driver: { openReader: () => Promise.reject(new Error('no stream')) },
        logger: silentLogger,
      },
    )
    const { lines, incomplete } = await searchLines(
      TENANT,
      { query: everything, limit: 10, before: undefined },
      { database, tail: store.tail, streamTail },
    )
    expect(lines).toEqual(store.expected(everything))
    expect(incomplete).toEqual([expect.stringContaining('lines of partitions 1, 2')])
  })

  it.each(['seg_message', 'seg_attributes', 'seg_place', 'seg_meta', 'head'])(
    'names a chunk whose column %s was changed, and finds the lines of the others',
    async (column) => {
      await database.query('truncate log_chunks, log_flushed, ledger_consumed')
      const store = new Store()
      await store.assign()
      for (const message of ['one failed', 'two failed', 'three failed']) {
        await store.commit([store.frame(new Map([['cart', [{ ...plain, message, attributes: { n: message } }]]]))])
        await store.flush()
      }
      const { rows } = await database.query<{ id: bigint }>('select min(chunk_id) + 1 as id from log_chunks')
      await database.query(
        `update log_chunks set ${column} = set_byte(${column}, octet_length(${column}) - 1, get_byte(${column}, octet_length(${column}) - 1) # 1) where chunk_id = $1`,
        [rows[0]?.id],
      )
      const query = { ...everything, needs: { kind: 'text', form: 'phrase', text: 'failed' } } as const
      const page = await searchLines(TENANT, { query, limit: 10, before: undefined }, { database, tail: store.tail })
      expect(page.lines.map(({ message }) => message).sort()).toEqual(['one failed', 'three failed'])
      expect(page.incomplete).toEqual([`1 lines of chunk ${rows[0]?.id} are missing: its bytes are not valid`])
    },
  )

  it('refuses a cursor of another search and a search that is not valid', async () => {
    const search = createSearchLogs({
      database,
      tail: new MemoryTail(),
      now: Date.now,
      readWatermark: async () => undefined,
    })
    const ask = { ...SEARCH_ALL, limit: 0 }
    const call = { tenant: '1', signal: new AbortController().signal }
    await expect(search({ ...ask, cursor: 'abc' }, call)).rejects.toMatchObject({ code: 'INVALID_CURSOR' })
    for (const wrong of [{ levels: ['loud'] }, { limit: 101 }, { traceId: 'xyz' }])
      await expect(search({ ...ask, ...wrong }, call)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(search({ ...ask, query: 'a "b' }, call)).rejects.toMatchObject({
      code: 'LOG_QUERY_INVALID',
      details: { field: 'q', position: 2 },
    })
  })
})
