import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { migrate, openDatabase } from '@millrace/database'
import {
  createTestDatabase,
  createTestRedis,
  fallbackTestS3,
  findTestS3,
  startTestS3,
  type TestDatabase,
  type TestRedis,
  waitFor,
} from '@millrace/testing'
import { healthOf, startService } from './start-service.js'

describe('the archive in the health report', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-archive-'))
  let database: TestDatabase
  let redis: TestRedis
  beforeAll(async () => {
    database = await createTestDatabase({ migrate })
    redis = await createTestRedis()
  })
  afterAll(async () => {
    await database.release()
    await redis.release()
    rmSync(folder, { recursive: true })
  })

  async function start(env: Record<string, string>) {
    const variables = { DATABASE_URL: database.url, STREAM_REDIS_URL: redis.url, STREAM_PARTITIONS: '2' }
    const service = await startService({ ...variables, HEALTH_CHECK_TIMEOUT_MS: '3000', ...env })
    return { ...service, services: async () => (await healthOf(service.calls, 'detailed')).body.services }
  }

  it('the archive is healthy in the folder below MILLRACE_DATA_DIR, and it is checked at most every 30 s', async () => {
    const service = await start({ MILLRACE_DATA_DIR: folder })
    expect((await service.services())?.archive).toEqual({
      status: 'healthy',
      latency: expect.any(Number),
      location: `file://${folder}/archive`,
    })
    const metrics = await (await fetch(`${service.adminUrl}/metrics`)).text()
    expect(metrics).toMatch(/millrace_health_part_level\{[^}]*part="archive"[^}]*\} 0/)
    // A check writes a file into this folder and removes it.
    const changedAt = () => statSync(join(folder, 'archive/.uploads')).mtimeMs
    const before = changedAt()
    const until = Date.now() + 1000
    await waitFor(async () => (await service.services()) !== undefined && Date.now() > until)
    expect(changedAt()).toBe(before)
    await service.stop()
  })

  it('the service starts with a folder that it cannot use, and the archive is degraded with the reason', async () => {
    mkdirSync(join(folder, 'wrong'))
    writeFileSync(join(folder, 'wrong/file'), '')
    const service = await start({ ARCHIVE_URL: `file:${folder}/wrong/file/archive` })
    expect((await service.services())?.archive).toMatchObject({
      status: 'degraded',
      error: expect.stringMatching(/^OBJECT_STORE_UNAVAILABLE: opening the object store in .*ENOTDIR/),
    })
    const metrics = await (await fetch(`${service.adminUrl}/metrics`)).text()
    expect(metrics).toMatch(/millrace_health_part_level\{[^}]*part="archive"[^}]*\} 1/)
    await service.stop()
  })

  it('the archive is degraded while log lines cannot be archived, with the reason and the number of lines that wait', async () => {
    const connection = openDatabase({ url: database.url })
    await connection.query(
      `insert into archive_status (stream, pending_records, oldest_pending_at, is_late, reason) values ('logs', 12, '2026-11-30T10:00:00Z', false, 'no room')`,
    )
    const service = await start({ MILLRACE_DATA_DIR: folder })
    expect((await service.services())?.archive).toMatchObject({
      status: 'degraded',
      pending_records: 12,
      oldest_pending_at: '2026-11-30T10:00:00.000Z',
      reason: 'no room',
    })
    await service.stop()
    await connection.query('delete from archive_status')
    await connection.close()
  })

  it('the archive is healthy on an S3 server, and degraded while the server hangs, which does not change the other parts', async () => {
    const found = findTestS3()
    const server = await startTestS3(typeof found === 'string' ? fallbackTestS3() : found)
    const env = {
      ARCHIVE_URL: server.url,
      ARCHIVE_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
      ARCHIVE_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    }
    const working = await start(env)
    expect((await working.services())?.archive).toMatchObject({ status: 'healthy', location: 's3://archive' })
    await working.stop()
    await server.pause()
    const service = await start(env)
    const services = await service.services()
    expect(services?.archive).toEqual({ status: 'degraded', error: 'no answer in 3000 ms' })
    // The status of the database depends on how fast it answers at a start. Its figures show that it was asked.
    expect(services?.database).toMatchObject({ latency: expect.any(Number) })
    await server.resume()
    // The next check, when the answers come too late for the first one.
    const deadlineMs = 60_000
    await waitFor(async () => (await service.services())?.archive?.status === 'healthy', { deadlineMs })
    await service.stop()
    await server.stop()
  })

  it('the archive is degraded with the reason of the server when the keys are wrong', async () => {
    const found = findTestS3()
    const server = await startTestS3(typeof found === 'string' ? fallbackTestS3() : found)
    const service = await start({
      ARCHIVE_URL: server.url,
      ARCHIVE_S3_ACCESS_KEY_ID: 'nobody',
      ARCHIVE_S3_SECRET_ACCESS_KEY: 'hunter2',
    })
    const archive = (await service.services())?.archive
    expect(archive).toMatchObject({
      status: 'degraded',
      error: expect.stringMatching(/^OBJECT_STORE_REFUSED: reaching s3:\/\/archive: /),
    })
    expect(JSON.stringify(archive)).not.toContain('hunter2')
    await service.stop()
    await server.stop()
  })
})
