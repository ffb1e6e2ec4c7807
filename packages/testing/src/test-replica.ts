import { chownSync, cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type PostgresServer, removeTemporary, startPostgres, temporaryDirectory } from '@millrace/local-stack'
import { hold } from './leaks.js'
import { withStop } from './test-redis.js'
import { withClient } from './with-client.js'

/** Files that belong to the running primary only, as in pg_basebackup. The directories themselves must exist. */
const OWN_FILES = new Set(['postmaster.pid', 'postmaster.opts'])
const EMPTIED = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
])

/**
 * A read-only streaming replica of a server of this test, with everything that was committed before; `stop` gives it back. It is made by a base backup
 * through SQL, because not every set of binaries has pg_basebackup. The primary must keep enough WAL (wal_keep_size) for what follows.
 */
export async function startTestReplica(primary: PostgresServer): Promise<PostgresServer> {
  const base = temporaryDirectory('millrace-replica-')
  const dataDir = join(base, 'data')
  try {
    const label = await copyWhileRunning(primary, dataDir)
    writeFileSync(join(dataDir, 'backup_label'), label)
    writeFileSync(join(dataDir, 'standby.signal'), '')
    const { uid, gid } = statSync(primary.dataDir)
    for (const path of ['', ...(readdirSync(dataDir, { recursive: true }) as string[])])
      chownSync(join(dataDir, path), uid, gid)
    const replica = await startPostgres({
      dataDir,
      binaries: primary.binaries,
      settings: { primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres`, hot_standby: 'on' },
    })
    const stop = async () => {
      await replica.stop()
      removeTemporary(base)
    }
    return withStop(replica, hold(`replica on port ${replica.port}`, stop))
  } catch (error) {
    removeTemporary(base)
    throw error
  }
}

/** Returns the backup's label. One session begins and ends the backup. */
async function copyWhileRunning(primary: PostgresServer, dataDir: string): Promise<string> {
  return await withClient(primary.url, async (session) => {
    await session.query(`select pg_backup_start('replica', true)`)
    mkdirSync(dataDir, { mode: 0o700 })
    cpSync(primary.dataDir, dataDir, { recursive: true, verbatimSymlinks: true, filter: isCopied })
    const { rows } = await session.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)')
    return rows[0]?.labelfile ?? ''
  })
}

/** Sockets lie in the data directory too. */
function isCopied(source: string): boolean {
  const parent = basename(join(source, '..'))
  return !OWN_FILES.has(basename(source)) && !EMPTIED.has(parent) && !statSync(source).isSocket()
}
