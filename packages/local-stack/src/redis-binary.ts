import { spawnSync } from 'node:child_process'
import { installRedis } from './redis-install.js'

export interface RedisBinary {
  command: string
  argv0: string
  /** Added to the child's environment. */
  env: Record<string, string>
  /** For example "7.0.15". */
  version: string
}

/** XAUTOCLAIM and the stream options we use came with this version. */
const VERSION_MIN = [6, 2] as const

/**
 * Finds a Redis server, installing one if it must: a server on PATH, Debian's `redis-check-rdb` (the same program, which
 * acts by the name it is called), then the system's package manager, without root if need be.
 * @param cacheDir where a private copy may be unpacked; `say` is told what is being done.
 * @throws one line that names the command to run.
 */
export async function findRedis(cacheDir: string, say: (line: string) => void = () => {}): Promise<RedisBinary> {
  return onPath() ?? (await installRedis(cacheDir, say, { probe, onPath }))
}

function onPath(): RedisBinary | undefined {
  for (const command of ['redis-server', 'valkey-server', 'keydb-server']) {
    const found = probe(command, command)
    if (found) return found
  }
  return probe('redis-check-rdb', 'redis-server') ?? probe('valkey-check-rdb', 'valkey-server')
}

function probe(command: string, argv0: string, env: Record<string, string> = {}): RedisBinary | undefined {
  const result = spawnSync(command, ['--version'], { argv0, encoding: 'utf8', env: { ...process.env, ...env } })
  const version = / v=(\d+)\.(\d+)\.?(\d*)/.exec(result.stdout ?? '')
  if (!version) return undefined
  const [major, minor] = [Number(version[1]), Number(version[2])]
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) return undefined
  return { command, argv0, env, version: version[0].slice(3) }
}
