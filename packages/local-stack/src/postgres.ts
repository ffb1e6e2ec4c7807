import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isAlive } from '@millrace/process-lock'
import { startChild } from './child.js'
import { isInTemporaryDirectory } from './orphans.js'
import { isReachableBy, postgresUser } from './os-user.js'
import { freePort } from './ports.js'
import { findPostgres } from './postgres-binaries.js'
import { clusterMajor, createCluster, DATABASE_NAME, passwordFile } from './postgres-cluster.js'
import { answersPostgres } from './postgres-probe.js'
import { extendServer, type Server, startServer } from './server.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { isSocketDirectory } from './unix-socket.js'
import { waitFor } from './wait.js'

export interface PostgresOptions {
  /** Kept between runs and made on first use. Default: a temporary one, removed by `stop`. */
  dataDir?: string | undefined
  /** Default: a free one. */
  port?: number | undefined
  /** Server settings by name, above our defaults. fsync and synchronous_commit stay on unless set here. */
  settings?: Record<string, string> | undefined
  /** Which programs to run. Default `auto`: embedded ones from npm, else the system's, 15 or newer. */
  binaries?: 'embedded' | 'system' | 'auto' | undefined
  /** `scram` generates a password on first use. Default `trust`: whoever reaches the loopback port is let in. */
  auth?: 'trust' | 'scram' | undefined
  /** Segments of 16 MB that the write-ahead log of a new cluster has from the start; give `min_wal_size` the same. Default 0: each is made when it is needed, about 50 ms during which commits wait. */
  walSegments?: number | undefined
  /** Default: beside the data directory. */
  logFile?: string | undefined
  /** Time allowed for a start, crash recovery included, in milliseconds. Default 120,000. */
  readyDeadlineMs?: number | undefined
}

/** One PostgreSQL server on 127.0.0.1 with an empty database `millrace` and the superuser `postgres`. */
export interface PostgresServer extends Server {
  readonly url: string
  /** By Unix socket where there is one, else `url`. */
  readonly localUrl: string
  readonly port: number
  readonly dataDir: string
  /** For example "18.4". */
  readonly version: string
  readonly binaries: 'embedded' | 'system'
}

/** Time for sessions to end and the last checkpoint to be written before the server is killed. */
const STOP_GRACE_MS = 20_000

/**
 * Starts PostgreSQL as a child process, without containers. As root the server runs as `postgres` or `nobody`.
 * @throws with the server's last lines when it dies at start.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const user = postgresUser()
  const isTemporary = options.dataDir === undefined
  const base = isTemporary ? temporaryDirectory('millrace-postgres-') : undefined
  const dataDir = resolve(options.dataDir ?? `${base}/data`)
  if (user && !isReachableBy(user, dataDir)) {
    throw new Error(
      `${dataDir} cannot hold the data: PostgreSQL runs as ${user.name} when the stack is started by root, and that user may not enter the directory; choose another`,
    )
  }
  const { auth = 'trust', walSegments = 0, readyDeadlineMs = 120_000 } = options
  const programs = findPostgres(options.binaries ?? 'auto', user, clusterMajor(dataDir))
  if (clusterMajor(dataDir) === undefined)
    createCluster({ dataDir, binaries: programs, user, auth, isDurable: !isTemporary, walSegments })
  await stopLeftover(dataDir)
  const port = options.port ?? (await freePort())
  const logFile = options.logFile ?? `${dataDir}.log`
  const socketDir = isSocketDirectory(dataDir) ? dataDir : ''
  const settings = { ...defaultSettings(port), unix_socket_directories: socketDir, ...options.settings }
  const args = ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]

  const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
  const server = await startServer({
    name: 'PostgreSQL',
    logFile,
    spawn: () =>
      startChild({
        name: 'PostgreSQL',
        command: programs.postgres,
        args,
        env,
        logFile,
        cwd: '/',
        uid: user?.uid,
        gid: user?.gid,
        endSignal: isInTemporaryDirectory(dataDir) ? 'SIGKILL' : 'SIGINT',
      }),
    isReady: () => answersPostgres(port),
    readyDeadlineMs,
    stopSignal: 'SIGINT',
    stopGraceMs: STOP_GRACE_MS,
    // Sessions of a killed server hold its shared memory until they notice, and a start before that is refused.
    isPassing: (message) => /shared memory block|lock file/.test(message),
    cleanUp: () => base && removeTemporary(base),
  })
  const password = auth === 'scram' ? `:${readFileSync(passwordFile(dataDir), 'utf8').trim()}` : ''
  const url = `postgres://postgres${password}@127.0.0.1:${port}/${DATABASE_NAME}`
  const host = encodeURIComponent(socketDir)
  const localUrl =
    socketDir === '' ? url : `postgres://postgres${password}@localhost/${DATABASE_NAME}?host=${host}&port=${port}`
  return extendServer(server, { url, localUrl, port, dataDir, version: programs.version, binaries: programs.kind })
}

function defaultSettings(port: number): Record<string, string> {
  return {
    port: String(port),
    listen_addresses: '127.0.0.1',
    shared_preload_libraries: 'pg_stat_statements',
    timezone: 'UTC',
    log_timezone: 'UTC',
    jit: 'off',
  }
}

/** A server whose starter was killed still runs on its data; it is stopped, since only one may. */
async function stopLeftover(dataDir: string): Promise<void> {
  const file = `${dataDir}/postmaster.pid`
  if (!existsSync(file)) return
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
  if (!Number.isInteger(pid) || !isAlive(pid) || !isPostgres(pid)) return
  process.kill(pid, 'SIGINT')
  await waitFor(() => !isAlive(pid), {
    deadlineMs: STOP_GRACE_MS,
    what: `the end of a PostgreSQL left over on ${dataDir} (process ${pid})`,
  })
}

/** The id in the file may belong to something else after a reboot. */
function isPostgres(pid: number): boolean {
  if (process.platform !== 'linux') return true
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('postgres')
}
