import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startChild } from './child.js'
import { findRedis } from './find-redis.js'
import { type EndSignal, isInTemporaryDirectory } from './orphans.js'
import { freePort } from './ports.js'
import type { RedisBinary } from './redis-binary.js'
import { type Reply, redisCommand } from './resp.js'
import { extendServer, type Server, startServer } from './server.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { isSocketDirectory, REDIS_SOCKET } from './unix-socket.js'
import { waitFor } from './wait.js'

export interface RedisOptions {
  /** Kept between runs. Default: a temporary one, removed by `stop`. */
  dir?: string | undefined
  /** Default: a free one. */
  port?: number | undefined
  /** Directives of redis.conf by name, above our defaults. */
  settings?: Record<string, string> | undefined
  /** Default true: every write is on disk before it is answered (appendfsync always). False keeps nothing, for a cache. */
  appendonly?: boolean | undefined
  /** Used in messages. Default "Redis". */
  name?: string | undefined
  /** Default: in `dir`. */
  logFile?: string | undefined
  /** Time allowed for a start, loading the data included, in milliseconds. Default 120,000. */
  readyDeadlineMs?: number | undefined
  /** Where a private copy of the program may be unpacked. Default: `.cache` under the working directory. */
  cacheDir?: string | undefined
  /** Told what is being installed, if anything. */
  say?: ((line: string) => void) | undefined
  /** Default false. True: settings live in a file that the server may rewrite, so a role it is given survives a restart. */
  keepsConfig?: boolean | undefined
  /** Runs it as a sentinel with this configuration file instead of the settings. */
  sentinelConfig?: string | undefined
}

/** One Redis (or Valkey) server on 127.0.0.1, without a password. */
export interface RedisServer extends Server {
  readonly url: string
  /** By Unix socket where there is one, else `url`. */
  readonly localUrl: string
  readonly port: number
  readonly dir: string
  readonly version: string
  /** Sends one command over a connection of its own and returns the reply. */
  command(...args: (string | number)[]): Promise<Reply>
}

const STOP_GRACE_MS = 10_000

/**
 * Starts a Redis server as a child process, installing the program if there is none.
 * @throws with the server's last lines when it dies at start.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const base = options.dir === undefined ? temporaryDirectory('millrace-redis-') : undefined
  const dir = resolve(options.dir ?? `${base}`)
  mkdirSync(dir, { recursive: true })
  if (base === undefined) await stopLeftover(dir)
  const { name = 'Redis', readyDeadlineMs = 120_000, cacheDir = '.cache' } = options
  const binary = findRedis(cacheDir, options.say)
  const port = options.port ?? (await freePort())
  const logFile = options.logFile ?? join(dir, 'redis.log')
  const hasSocket = binary.prefix === undefined && isSocketDirectory(dir)
  const settings = {
    ...defaultSettings(binary, options.appendonly ?? true),
    ...options.settings,
    port: String(port),
    dir,
    ...(hasSocket && { unixsocket: join(dir, REDIS_SOCKET), unixsocketperm: '700' }),
  }
  const args = serverArguments(options, settings)

  const env = { ...process.env, ...binary.env }
  // A container goes on without its client, unless the client is asked to end.
  const isExpendable = isInTemporaryDirectory(dir) && binary.prefix === undefined
  const endSignal: EndSignal = isExpendable ? 'SIGKILL' : 'SIGTERM'
  const child = { name, endSignal, command: binary.command, argv0: binary.argv0, env, logFile, cwd: dir }
  const server = await startServer({
    name,
    logFile,
    spawn: () => startChild({ ...child, args: [...(binary.prefix?.(port, dir) ?? []), ...args] }),
    isReady: async () => (await redisCommand(port, ['PING'])) === 'PONG',
    readyDeadlineMs,
    stopSignal: 'SIGTERM',
    stopGraceMs: STOP_GRACE_MS,
    cleanUp: () => base && removeTemporary(base),
  })
  const command = (...words: (string | number)[]) => redisCommand(port, words)
  const url = `redis://127.0.0.1:${port}`
  const localUrl = hasSocket ? `unix://${encodeURI(join(dir, REDIS_SOCKET))}` : url
  return extendServer(server, { url, localUrl, port, dir, version: binary.version, command })
}

/** A server whose starter was killed may still run on its data, and two would destroy each other's log. */
async function stopLeftover(dir: string): Promise<void> {
  const socket = join(dir, REDIS_SOCKET)
  const runs = () =>
    redisCommand(socket, ['PING']).then(
      () => true,
      (error: NodeJS.ErrnoException) => !['ENOENT', 'ECONNREFUSED'].includes(error.code ?? ''),
    )
  if (!existsSync(socket) || !(await runs())) return
  // It ends without an answer. Nothing is lost: every write is on disk before it is answered.
  await redisCommand(socket, ['SHUTDOWN', 'NOSAVE']).catch(() => undefined)
  await waitFor(async () => !(await runs()), {
    deadlineMs: STOP_GRACE_MS,
    what: `the end of a Redis left over on ${dir}`,
  })
}

function serverArguments(options: RedisOptions, settings: Record<string, string>): string[] {
  if (options.sentinelConfig) return [options.sentinelConfig, '--sentinel']
  const entries = Object.entries(settings)
  if (!options.keepsConfig) return entries.flatMap(([key, value]) => [`--${key}`, ...value.split(' ')])
  const file = join(settings.dir as string, 'redis.conf')
  if (!existsSync(file)) writeFileSync(file, `${entries.map(([key, value]) => `${key} ${value || '""'}`).join('\n')}\n`)
  return [file]
}

function defaultSettings(binary: RedisBinary, appendonly: boolean): Record<string, string> {
  const isAtLeast7 = Number.parseInt(binary.version, 10) >= 7
  return {
    bind: '127.0.0.1',
    save: '',
    'maxmemory-policy': 'noeviction',
    appendonly: appendonly ? 'yes' : 'no',
    appendfsync: 'always',
    // Frames are compressed already: packing them again, each time the log is rewritten, was half of the server's processor time under load.
    rdbcompression: 'no',
    'auto-aof-rewrite-min-size': '256mb',
    // A primary that stops would wait 10 s for replicas that may be gone.
    ...(isAtLeast7 && { 'shutdown-timeout': '1' }),
  }
}
