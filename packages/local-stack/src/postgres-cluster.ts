import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { OsUser } from './os-user.js'
import type { PostgresBinaries } from './postgres-binaries.js'

/** As initdb makes them. */
const WAL_SEGMENT_MB = 16
export const WAL_SEGMENT_BYTES = WAL_SEGMENT_MB * 1024 ** 2

/** The database every cluster is given. */
export const DATABASE_NAME = 'millrace'

export interface ClusterOptions {
  dataDir: string
  binaries: PostgresBinaries
  user: OsUser | undefined
  auth: 'trust' | 'scram'
  /** Whether initdb flushes what it wrote to disk; false is for directories that are thrown away. */
  isDurable: boolean
  /** Segments of 16 MB that the write-ahead log has from the start. */
  walSegments: number
}

/** The major version that wrote this data directory, or undefined when there is none. */
export function clusterMajor(dataDir: string): number | undefined {
  const file = join(dataDir, 'PG_VERSION')
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : undefined
}

/** Where the generated password lies: beside the data directory, readable by its owner only. */
export function passwordFile(dataDir: string): string {
  return `${dataDir}.password`
}

/** Makes a cluster with the database `millrace`. An interrupted attempt leaves nothing under `dataDir`. */
export function createCluster({ dataDir, binaries, user, auth, isDurable, walSegments }: ClusterOptions): void {
  const part = `${dataDir}.part`
  mkdirSync(dirname(dataDir), { recursive: true, mode: 0o755 })
  rmSync(part, { recursive: true, force: true })
  mkdirSync(part, { mode: 0o700 })
  if (user) chownSync(part, user.uid, user.gid)
  // The builtin locale provider came with 17; before it the C library's C.UTF-8 gives the same order of bytes.
  const locale =
    binaries.major >= 17
      ? ['--locale-provider=builtin', '--locale=C.UTF-8']
      : [`--locale=${process.platform === 'darwin' ? 'C' : 'C.UTF-8'}`]
  const args = ['-D', part, '-U', 'postgres', '--encoding=UTF8', ...locale, ...(isDurable ? [] : ['--no-sync'])]
  if (auth === 'scram') {
    const file = passwordFile(dataDir)
    writeFileSync(file, randomBytes(18).toString('base64url'), { mode: 0o600 })
    if (user) chownSync(file, user.uid, user.gid)
    args.push('--auth=scram-sha-256', `--pwfile=${file}`)
  } else args.push('--auth=trust')
  run(binaries.initdb, args, user)
  run(binaries.postgres, ['--single', '-D', part, 'postgres'], user, `create database ${DATABASE_NAME}\n`)
  if (walSegments > 0) makeWal(part, walSegments, binaries, user)
  if (existsSync(dataDir)) rmSync(dataDir, { recursive: true })
  renameSync(part, dataDir)
  chmodSync(dataDir, 0o700)
}

/**
 * The log is written into segments that a checkpoint has let go. A new cluster has none and would make each as it is needed, while all commits
 * wait for it; here they are made by going from one to the next, and the checkpoint at the end lets them go.
 */
function makeWal(dataDir: string, segments: number, binaries: PostgresBinaries, user: OsUser | undefined): void {
  const keep = [`min_wal_size=${segments * WAL_SEGMENT_MB}MB`, `max_wal_size=${2 * segments * WAL_SEGMENT_MB}MB`]
  const args = ['--single', ...keep.flatMap((setting) => ['-c', setting]), '-D', dataDir, 'postgres']
  run(
    binaries.postgres,
    args,
    user,
    `select pg_logical_emit_message(false, '', ''), pg_switch_wal() from generate_series(1, ${segments})\n`,
  )
}

function run(command: string, args: string[], user: OsUser | undefined, input = ''): void {
  const result = spawnSync(command, args, {
    input,
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    ...(user && { uid: user.uid, gid: user.gid }),
  })
  if (result.status === 0 && !/\b(ERROR|FATAL):/.test(result.stderr)) return
  const reason = result.error?.message ?? `${result.stdout}${result.stderr}`.trim().split('\n').slice(-12).join('\n')
  throw new Error(`making the PostgreSQL cluster with ${command}: ${reason}`)
}
