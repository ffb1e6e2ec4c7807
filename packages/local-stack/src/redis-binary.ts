import { spawnSync } from 'node:child_process'

/** A program that runs a Redis server. */
export interface RedisBinary {
  command: string
  /** The name it is called by, which decides what it does. */
  argv0: string
  /** Added to the child's environment. */
  env: Record<string, string>
  /** For example "7.0.15". */
  version: string
  /** Put before the server's own arguments. */
  prefix?: (port: number, dir: string) => string[]
}

/** XAUTOCLAIM and the stream options we use came with this version. */
const VERSION_MIN = [6, 2] as const

/** A server on PATH; Debian's `redis-check-rdb` is one too, since it is the same program and acts by the name it is called. */
export function redisOnPath(): RedisBinary | undefined {
  for (const command of ['redis-server', 'valkey-server', 'keydb-server']) {
    const found = probeRedis(command, command)
    if (found) return found
  }
  return probeRedis('redis-check-rdb', 'redis-server') ?? probeRedis('valkey-check-rdb', 'valkey-server')
}

/** The program, if it can be run and is new enough. */
export function probeRedis(command: string, argv0: string, env: Record<string, string> = {}): RedisBinary | undefined {
  const result = spawnSync(command, ['--version'], { argv0, encoding: 'utf8', env: { ...process.env, ...env } })
  const version = / v=(\d+)\.(\d+)\.?(\d*)/.exec(result.stdout ?? '')
  if (!version) return undefined
  const [major, minor] = [Number(version[1]), Number(version[2])]
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) return undefined
  return { command, argv0, env, version: version[0].slice(3) }
}
