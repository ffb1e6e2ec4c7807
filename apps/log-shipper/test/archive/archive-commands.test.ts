import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Archive, createMasterKeys, TenantKeys } from '@millrace/archive'
import { verifyAudit } from '@millrace/audit'
import { silentLogger } from '@millrace/logger'
import { type ObjectStore, openObjectStore } from '@millrace/object-store'
import { createRetention } from '@millrace/retention'
import { waitFor } from '@millrace/testing'
import { runArchiveCommand } from '../../src/archive/run-archive-command.js'
import { logRetentionRules } from '../../src/store/log-retention.js'
import { startShipper } from '../start-shipper.js'

const CLI = fileURLToPath(new URL('../../dist/archive-cli.js', import.meta.url))
const DEADLINE = { deadlineMs: 120_000 }
const LINES = 60
const DAY_MS = 86_400_000

interface CommandResult {
  readonly code: number
  readonly output: string
}

describe('npm run archive', () => {
  const masterKey = randomBytes(32).toString('base64')
  let home: string
  let shipper: Awaited<ReturnType<typeof startShipper>>
  let store: ObjectStore
  let segment: string
  /** The time of all lines: long before the retention, so that their day is dropped. */
  let arrivalDay: string
  const archiveUrl = () => `file:${home}/archive`

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'millrace-archive-cli-'))
    shipper = await startShipper(() => ({
      ARCHIVE_URL: archiveUrl(),
      ARCHIVE_MASTER_KEYS: masterKey,
      ARCHIVE_SEAL_SECONDS: '1',
      LOG_WINDOW_SECONDS: '0.3',
    }))
    const body = Array.from({ length: LINES }, (_, line) =>
      JSON.stringify({ msg: `line ${line} Zoë`, service: 'cart', order: line }),
    )
    const response = await fetch(`${shipper.origin}/v1/logs/ndjson`, {
      method: 'POST',
      headers: { authorization: `Bearer ${shipper.key}` },
      body: body.join('\n'),
    })
    expect(response.status).toBe(200)
    await waitFor(async () => (await countLines('log_chunks', 'archive_state = 1')) === LINES, DEADLINE)
    store = await openObjectStore({ driver: 'file', directory: join(home, 'archive') })
    const keys: string[] = []
    for await (const { key } of store.list({ prefix: 'segments/' })) keys.push(key)
    segment = keys[0] ?? ''
    arrivalDay = /day=(\d{4}-\d{2}-\d{2})/.exec(segment)?.[1] ?? ''
  })
  afterAll(async () => {
    await store?.close()
    await shipper?.stop()
    rmSync(home, { recursive: true })
  })

  async function countLines(table: string, condition = 'true'): Promise<number> {
    const { rows } = await shipper.database.query<{ lines: bigint }>(
      `select coalesce(sum(lines), 0)::bigint as lines from ${table} where ${condition}`,
    )
    return Number(rows[0]?.lines)
  }

  const settings = (env: Record<string, string>) => ({
    DATABASE_URL: shipper.databaseUrl,
    ARCHIVE_URL: archiveUrl(),
    ARCHIVE_MASTER_KEYS: masterKey,
    ...env,
  })
  /** Runs a command in this process, which saves the start of another one. */
  async function run(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
    let output = ''
    const stream = { write: (text: string) => (output += text) }
    const code = await runArchiveCommand(args, { env: settings(env), stdout: stream, stderr: stream })
    return { code, output: output.trim() }
  }
  /** Runs a command as `npm run archive` does: compiled, in a process of its own. */
  const runAsProcess = (args: readonly string[], env: Record<string, string> = {}) =>
    new Promise<CommandResult>((resolve) => {
      const all = { PATH: process.env.PATH, ...settings(env) }
      execFile(process.execPath, [CLI, ...args], { env: all }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}`.trim() }),
      )
    })
  const range = () => {
    const next = new Date(Date.parse(arrivalDay) + 2 * DAY_MS).toISOString().slice(0, 10)
    return ['--from', arrivalDay, '--to', next]
  }

  it('explains its commands when arguments are wrong, and says which settings are missing', async () => {
    for (const args of [
      [],
      ['unknown'],
      ['verify', 'x'],
      ['restore'],
      ['restore', '--from', 'x', '--to', 'y'],
      ['hold', 'add'],
      ['--nope'],
    ]) {
      const { code, output } = await run(args)
      expect([code, args]).toEqual([2, args])
      expect(output).toMatch(/^usage: npm run archive/)
    }
    const usage = await runAsProcess(['unknown'])
    expect([usage.code, usage.output]).toEqual([2, expect.stringMatching(/^usage: npm run archive/)])
    expect(await runAsProcess(['status'], { ARCHIVE_MASTER_KEYS: '' })).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^ARCHIVE_MASTER_KEYS is not set/),
    })
    expect((await run(['status'], { ARCHIVE_MASTER_KEYS: 'short' })).output).toMatch(
      /^ARCHIVE_MASTER_KEYS must be keys/,
    )
  })

  it('verifies the archive, and names a segment that was modified', async () => {
    expect(await run(['verify'])).toEqual({
      code: 0,
      output: expect.stringMatching(
        new RegExp(`^1 chains, \\d+ segments, ${LINES} lines, 0 segments deleted on purpose, 0 problems$`),
      ),
    })
    const bytes = Buffer.concat((await (await store.get(segment)).body.toArray()) as Buffer[])
    const modified = Buffer.from(bytes)
    modified[modified.length - 1] = (modified.at(-1) as number) ^ 1
    await store.put(segment, modified)
    const { code, output } = await run(['verify'])
    expect([code, output.split('\n')[0]]).toEqual([
      1,
      `modified: the object ${segment} was modified: its body has another checksum`,
    ])
    await store.put(segment, bytes)
  })

  it('exports lines to a Parquet file that DuckDB reads, and does not replace a file', async () => {
    const file = join(home, 'lines.parquet')
    expect(await runAsProcess(['export', ...range(), '--into', file])).toEqual({
      code: 0,
      output: `${LINES} lines were written to ${file}`,
    })
    const { DuckDBInstance } = await import('@duckdb/node-api')
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    const result = await connection.runAndReadAll(
      `select count(*)::int as lines, count(distinct id)::int as ids, count(distinct attributes)::int as attributes, min(service) as service from '${file}'`,
    )
    expect(result.getRowObjects()).toEqual([{ lines: LINES, ids: LINES, attributes: LINES, service: 'cart' }])
    connection.closeSync()
    expect(await runAsProcess(['export', ...range(), '--into', file])).toMatchObject({
      code: 1,
      output: expect.stringContaining('exists already'),
    })
    expect(existsSync(`${file}.part`)).toBe(false)
  })

  it('restores lines that retention has deleted, each once however often it is called, and retention leaves them for a while', async () => {
    const drop = async (nowMs: number) => {
      const rules = logRetentionRules({ stream: 'logs', retentionMs: 90 * DAY_MS, isArchived: true })
      await createRetention(
        { rules, lock: 'test' },
        { database: shipper.database, logger: silentLogger, now: () => nowMs },
      )(new AbortController().signal)
    }
    const expired = async () =>
      (await shipper.database.query<{ expired: bigint }>('select expired from ledger_expired')).rows[0]?.expired
    expect(await run(['restore', ...range()])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^0 chunks with 0 lines/),
    })
    await shipper.database.query('delete from log_restored_days')
    await drop(Date.now() + 100 * DAY_MS)
    expect([await countLines('log_chunks'), await expired()]).toEqual([0, BigInt(LINES)])
    const both = await Promise.all([runAsProcess(['restore', ...range()]), runAsProcess(['restore', ...range()])])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(await countLines('log_chunks')).toBe(LINES)
    expect((await run(['restore', ...range()])).output).toMatch(/^0 chunks with 0 lines/)
    await drop(Date.now() + 100 * DAY_MS)
    expect(await countLines('log_chunks', 'archive_state = 2')).toBe(LINES)
    await shipper.database.query(`update log_restored_days set kept_until = now() - interval '1 second'`)
    await drop(Date.now() + 100 * DAY_MS)
    expect([await countLines('log_chunks'), await expired()]).toEqual([0, BigInt(LINES)])
  })

  it('restores into another table, and nothing from a damaged segment', async () => {
    expect(await run(['restore', ...range(), '--into', 'restored_lines'])).toMatchObject({ code: 0 })
    expect(await run(['restore', ...range(), '--into', 'restored_lines'])).toMatchObject({ code: 0 })
    expect(await countLines('restored_lines')).toBe(LINES)
    expect(await run(['restore', ...range(), '--into', 'x; drop table log_chunks'])).toMatchObject({ code: 1 })
    const bytes = Buffer.concat((await (await store.get(segment)).body.toArray()) as Buffer[])
    await store.put(segment, bytes.subarray(0, bytes.length - 1))
    expect(await run(['restore', ...range(), '--into', 'damaged_lines'])).toMatchObject({
      code: 1,
      output: expect.stringContaining(`the object ${segment} is truncated`),
    })
    expect(await countLines('damaged_lines')).toBe(0)
    await store.put(segment, bytes)
  })

  it('places and releases legal holds and sets rules, each with an audit entry', async () => {
    expect((await run(['hold', 'add', '--tenant', '1', '--reason', 'case 7', '--from', '2026-01-01'])).output).toBe(
      'hold 1 is placed on the log lines of tenant 1',
    )
    expect((await run(['hold', 'list'])).output).toContain('"reason":"case 7"')
    expect(await run(['hold', 'release', '1'])).toMatchObject({ code: 0 })
    expect(await run(['hold', 'release', '1'])).toMatchObject({ code: 1 })
    expect(await run(['rule', '--tenant', '1', '--level', 'debug', '--days', '30'])).toMatchObject({ code: 0 })
    expect((await run(['rule', 'list'])).output).toBe('{"tenantId":1,"stream":"logs","label":"debug","keptDays":30}')
    expect(await run(['rule', '--tenant', '1', '--level', 'loud', '--days', '30'])).toMatchObject({ code: 2 })
    expect(await run(['rule', '--tenant', '1', '--level', 'debug', '--days', 'default'])).toMatchObject({ code: 0 })
    const { rows } = await shipper.database.query<{ what: string }>(
      `select (entry::jsonb ->> 'action') || ' ' || (entry::jsonb ->> 'resource') as what from audit_entries
       where entry::jsonb ->> 'actor' = 'command:archive' order by seq`,
    )
    expect(rows.map(({ what }) => what)).toEqual([
      'CREATE legal_hold',
      'DELETE legal_hold',
      'UPDATE archive_rule',
      'DELETE archive_rule',
    ])
    expect((await verifyAudit(shipper.database, 1)).problems).toEqual([])
  })

  it('wraps the keys of tenants by a new master key, after which the old one is not needed', async () => {
    const newKey = randomBytes(32)
    const both = { ARCHIVE_MASTER_KEYS: `${newKey.toString('base64')},${masterKey}` }
    expect(await run(['rotate'], both)).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^1 keys of 1 tenants/),
    })
    const onlyNew = { ARCHIVE_MASTER_KEYS: newKey.toString('base64') }
    expect(await run(['verify'], onlyNew)).toMatchObject({ code: 0 })
    expect(await run(['verify'])).toMatchObject({
      code: 1,
      output: expect.stringContaining('unreadable: the master key'),
    })
    const keys = new TenantKeys({ store, wrapper: createMasterKeys([newKey]) })
    const archive = new Archive({ database: shipper.database, store, keys, now: () => new Date() })
    expect(await archive.rebuild(() => [])).toEqual({ entries: 0, problems: [] })
  })
})
