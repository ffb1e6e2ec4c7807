import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { generateApiKey, seedKeys } from '@millrace/auth'
import { LOGS_STREAM, type LogServiceClient, SearchLogsRequest } from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import type { Calls } from '@millrace/service'
import {
  createTestDatabase,
  createTestRedis,
  freePort,
  spawnService,
  type TestDatabase,
  type TestRedis,
  waitFor,
} from '@millrace/testing'
import { openLogService } from './open-log-service.js'

type LogCalls = Calls<typeof LogServiceClient.service>
interface Shipper {
  readonly origin: string
  readonly logs: LogCalls
  readonly stop: () => Promise<void>
}

const DEADLINE = { deadlineMs: 60_000 }
const caller = { tenant: '1', caller: 'key_1' }
const key = generateApiKey()

let testDatabase: TestDatabase
let testRedis: TestRedis
let database: Database
const shippers: Shipper[] = []

async function startShipper(): Promise<Shipper> {
  const [port, grpcPort] = [await freePort(), await freePort()]
  const service = await spawnService({
    app: 'log-shipper',
    env: {
      DATABASE_URL: testDatabase.url,
      STREAM_REDIS_URL: testRedis.url,
      HTTP_PORT: String(port),
      GRPC_PORT: String(grpcPort),
      LOG_WINDOW_SECONDS: '0.5',
      LEASE_MS: '2000',
    },
  })
  const [logs, close] = openLogService(grpcPort)
  const stop = async () => {
    await close()
    await service.stop()
  }
  return { origin: `http://127.0.0.1:${port}`, logs, stop }
}

async function send({ origin }: Shipper, ...lines: object[]): Promise<unknown> {
  const response = await fetch(`${origin}/v1/logs/ndjson`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  })
  return { status: response.status, ...((await response.json()) as object) }
}

async function put(rules: object, expectedVersion?: number): Promise<number> {
  const { logs } = shippers[0] as Shipper
  return (await logs.putTransforms({ rulesJson: JSON.stringify(rules), expectedVersion }, caller)).version
}

/** The stored lines of a service, by their message. */
async function stored(service: string, lines: number): Promise<Map<string, Record<string, unknown>>> {
  const rows = await waitFor(async () => {
    const pages = await Promise.all(
      shippers.map(({ logs }) =>
        logs.searchLogs(SearchLogsRequest.fromPartial({ services: [service], limit: 100 }), caller),
      ),
    )
    // A line may be in the tail of either process, or in a chunk, which both find.
    const found = pages.flatMap(({ linesJson }) => linesJson).map((json) => JSON.parse(json) as Record<string, unknown>)
    const byId = new Map(found.map((line) => [line.id, line]))
    return byId.size >= lines && [...byId.values()]
  }, DEADLINE)
  return new Map(rows.map((line) => [line.message as string, line]))
}

async function readLedger() {
  const { rows } = await database.query(
    `select sum(accepted)::int as accepted, sum(rejected)::int as rejected, sum(stored)::int as stored from ledger_consumed where stream = $1`,
    [LOGS_STREAM],
  )
  return rows[0]
}

/** Sends lines until the rule that sets the attribute `ruled` to this value has changed one. */
async function untilRuled(shipper: Shipper, value: string): Promise<void> {
  const service = `${value}-${shipper.origin}`
  for (let round = 0; ; round++) {
    const message = `line ${round}`
    await send(shipper, { service, msg: message })
    const attributes = (await stored(service, round + 1)).get(message)?.attributes
    if ((attributes as { ruled?: string } | undefined)?.ruled === value) return
    expect(round).toBeLessThan(90)
  }
}

describe('the rules for log lines of a running log-shipper', () => {
  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    testRedis = await createTestRedis()
    database = openDatabase({ url: testDatabase.url })
    await seedKeys({ writeKey: key, adminKey: undefined, isProduction: false }, { database, logger: silentLogger })
    shippers.push(await startShipper(), await startShipper())
  })

  afterAll(async () => {
    for (const shipper of shippers) await shipper.stop()
    await database?.close()
    await testRedis?.release()
    await testDatabase?.release()
  })

  it('change, route and drop lines, and every accepted line is in the ledger as stored or rejected', async () => {
    const [first] = shippers as [Shipper]
    await put({
      rules: [
        { name: 'drop', match: { where: { field: 'message', contains: 'health check' } }, steps: [{ drop: true }] },
        {
          name: 'parse',
          match: { service: 'nginx' },
          steps: [{ parse: { field: 'message', as: 'logfmt' } }, { route: { service: 'web' } }],
        },
      ],
    })
    const before = await readLedger()
    expect(before).toEqual({ accepted: null, rejected: null, stored: null })
    expect(
      await send(
        first,
        { service: 'nginx', msg: 'status=200 mail=canary.person@example.com' },
        { service: 'nginx', msg: 'not logfmt' },
        { service: 'nginx', msg: 'a health check' },
        { service: 'nginx', msg: 'another health check' },
      ),
    ).toEqual({ status: 200, accepted: 4, rejected: [] })
    expect((await stored('web', 1)).get('status=200 mail=[email]')).toMatchObject({
      service: 'web',
      attributes: { status: '200', mail: '[email]' },
    })
    expect((await stored('nginx', 1)).get('not logfmt')?.attributes).toEqual({
      'millrace.transform_error': 'rule parse: step 1 (parse): the text has no pair of a key and a value',
    })
    await waitFor(async () => ((await readLedger()) as { stored: number }).stored === 2, DEADLINE)
    expect(await readLedger()).toEqual({ accepted: 4, rejected: 2, stored: 2 })
    // A request of which nothing is left is accepted and accounted for as well.
    expect(await send(first, { service: 'nginx', msg: 'health check' })).toEqual({
      status: 200,
      accepted: 1,
      rejected: [],
    })
    await waitFor(async () => ((await readLedger()) as { rejected: number }).rejected === 3, DEADLINE)
    await waitFor(async () => {
      const { rows } = await database.query(
        `select sum(accepted)::int as accepted, sum(rejected)::int as rejected from ledger_produced where stream = $1`,
        [LOGS_STREAM],
      )
      return (rows[0] as { accepted: number }).accepted === 5 && (rows[0] as { rejected: number }).rejected === 3
    }, DEADLINE)
  })

  it('are used by every process once they are stored, and still while PostgreSQL does not answer', async () => {
    const [first, second] = shippers as [Shipper, Shipper]
    const rule = (value: string) => ({ rules: [{ name: 'r', steps: [{ set: { field: 'attributes.ruled', value } }] }] })
    await put(rule('probe-a'))
    await Promise.all([untilRuled(first, 'probe-a'), untilRuled(second, 'probe-a')])
    // A table that cannot be read is the same to a process as a database that refuses.
    await database.query('alter table log_transforms rename to log_transforms_gone')
    try {
      expect(await send(second, { service: 'outage', msg: 'm' })).toMatchObject({ status: 200, accepted: 1 })
      expect((await stored('outage', 1)).get('m')?.attributes).toEqual({ ruled: 'probe-a' })
    } finally {
      await database.query('alter table log_transforms_gone rename to log_transforms')
    }
    await put(rule('probe-b'))
    await untilRuled(second, 'probe-b')
    await put({ rules: [] })
  })

  it('have versions, of which a writer replaces only the one that it has read', async () => {
    const { logs } = shippers[0] as Shipper
    const version = await put({ rules: [] })
    expect(await put({ rules: [], patterns: { A: 'a' } }, version)).toBe(version + 1)
    await expect(put({ rules: [] }, version)).rejects.toMatchObject({ code: 'TRANSFORMS_CHANGED', httpStatus: 412 })
    expect(await logs.getTransforms({ version: 0 }, caller)).toMatchObject({
      version: version + 1,
      rulesJson: '{"rules":[],"patterns":{"A":"a"}}',
      createdBy: 'key_1',
    })
    expect(await logs.getTransforms({ version }, caller)).toMatchObject({ version, rulesJson: '{"rules":[]}' })
    await expect(logs.getTransforms({ version: 1_000_000 }, caller)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const together = await Promise.all(Array.from({ length: 6 }, () => put({ rules: [] })))
    expect(new Set(together).size).toBe(6)
    for (let i = 0; i < 20; i++) await put({ rules: [] })
    expect((await logs.getTransforms({ version: 0 }, caller)).versions).toHaveLength(20)
  })

  it('belong to one tenant', async () => {
    const { logs } = shippers[0] as Shipper
    await put({ rules: [{ name: 'mine', steps: [{ drop: true }] }] })
    expect(await logs.getTransforms({ version: 0 }, { ...caller, tenant: '2' })).toMatchObject({
      version: 0,
      rulesJson: '{"rules":[]}',
      versions: [],
    })
    await put({ rules: [] })
  })

  it('are refused with all their mistakes, and nothing is stored', async () => {
    const { logs } = shippers[0] as Shipper
    const { version } = await logs.getTransforms({ version: 0 }, caller)
    const pattern = { field: 'message', as: 'regex', pattern: 'a(?=b)' }
    await expect(put({ rules: [{ name: 'r', steps: [{ parse: pattern }, {}] }] })).rejects.toMatchObject({
      code: 'TRANSFORMS_INVALID',
      httpStatus: 400,
      details: { field: 'rules[0].steps[0].parse.pattern', position: 1, errors: [{}, { field: 'rules[0].steps[1]' }] },
    })
    expect((await logs.getTransforms({ version: 0 }, caller)).version).toBe(version)
  })

  it('are tried on samples and on the last stored lines without storing anything', async () => {
    const [first] = shippers as [Shipper]
    await send(first, { service: 'tried', msg: 'user=u1', level: 'error' }, { service: 'tried', msg: 'plain' })
    // Lines in the tail of the other process are found by this one once they are in a chunk.
    await waitFor(async () => {
      const asked = SearchLogsRequest.fromPartial({ services: ['tried'] })
      return (await first.logs.searchLogs(asked, caller)).linesJson.length === 2
    }, DEADLINE)
    const rules = { rules: [{ name: 'p', steps: [{ parse: { field: 'message', as: 'logfmt' } }] }] }
    const { linesJson } = await first.logs.tryTransforms(
      { rulesJson: JSON.stringify(rules), samplesJson: ['"a=1"'], last: 10, service: 'tried', query: '' },
      caller,
    )
    const tried = linesJson.map(
      (json) => JSON.parse(json) as { before: { message: string }; rules: { outcome: string }[] },
    )
    expect(tried.map(({ before, rules: [rule] }) => `${before.message} ${rule?.outcome}`).sort()).toEqual([
      'a=1 applied',
      'plain failed',
      'user=u1 applied',
    ])
    await expect(
      first.logs.tryTransforms({ rulesJson: '', samplesJson: ['{"user":1}'], last: 0, service: '', query: '' }, caller),
    ).rejects.toMatchObject({ code: 'INVALID_REQUEST', details: { field: 'lines[0]' } })
    expect((await stored('tried', 2)).size).toBe(2)
  })
})
