import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { migrate, openDatabase } from './index.js'

const own = fileURLToPath(new URL('../migrations', import.meta.url))

describe('the migration of typed rows', () => {
  let test: TestDatabase
  let directory: string
  beforeEach(async () => {
    test = await createTestDatabase()
    directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  })
  afterEach(async () => {
    await test.release()
    await rm(directory, { recursive: true })
  })

  it('opens sessions that ended before they were last seen, and leaves no empty name', async () => {
    for (const name of await readdir(own)) if (name < '0013') await copyFile(join(own, name), join(directory, name))
    await migrate(test.url, { directory })
    const database = openDatabase({ url: test.url })
    await database.query(
      `insert into user_sessions (tenant_id, session_id, started_at, last_seen_at, ended_at, end_reason, browser, os)
       select 1, n, 'epoch', timestamptz 'epoch' + seen * interval '1 s', timestamptz 'epoch' + over * interval '1 s', 'logout', browser, 'Linux'
       from (values ('a', 9, 5, ''), ('b', 9, 9, 'Firefox'), ('c', 9, null, null)) r (n, seen, over, browser)`,
    )
    await database.query(
      `insert into login_events (tenant_id, message_id, "timestamp", method, success, browser, os) values (1, 'l', now(), 'email', true, '', 'Linux')`,
    )
    await database.query(
      `insert into activity_logs (tenant_id, message_id, user_id, "timestamp", action, entity_type, entity_id) values (1, 'm', 'ann', now(), 'viewed', '', '')`,
    )
    await migrate(test.url)
    const { rows } = await database.query(
      'select session_id, ended_at is null as goes_on, browser, os, user_at from user_sessions order by 1',
    )
    expect(rows).toEqual([
      { session_id: 'a', goes_on: true, browser: null, os: 'Linux', user_at: null },
      { session_id: 'b', goes_on: false, browser: 'Firefox', os: 'Linux', user_at: null },
      { session_id: 'c', goes_on: true, browser: null, os: 'Linux', user_at: null },
    ])
    expect((await database.query('select browser, os from login_events')).rows).toEqual([
      { browser: null, os: 'Linux' },
    ])
    expect((await database.query('select action, entity_type, entity_id from activity_logs')).rows).toEqual([
      { action: 'viewed', entity_type: 'unknown', entity_id: 'unknown' },
    ])
    await database.close()
  })
})
