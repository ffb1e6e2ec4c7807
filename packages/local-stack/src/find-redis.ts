import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { canUnpackDebian, has, runProgram, unpackDebian } from './debian-packages.js'
import { probeRedis, type RedisBinary, redisOnPath } from './redis-binary.js'

/** Debian's and Ubuntu's packages that hold the server and the libraries it needs, without the service. */
const DEBIAN_PACKAGES = ['redis-tools', 'libjemalloc2', 'liblzf1']

/** Last lines of package managers that failed. */
const complaints: string[] = []

const DOCKER_IMAGE = 'redis:7.4-alpine'

/**
 * Finds a Redis server, installing one if it must: PATH, the system's package manager with root or without, then Docker.
 * `redis-tools` is chosen over `redis-server`, which would start a service.
 * @param cacheDir where a private copy may be unpacked; `say` receives a line for each attempt.
 * @throws one line that names the command to run.
 */
export function findRedis(cacheDir: string, say: (line: string) => void = () => {}): RedisBinary {
  const found = redisOnPath() ?? fromCache(cacheDir) ?? installed(say) ?? unpacked(cacheDir, say) ?? inDocker(say)
  if (found) return found
  const reason = complaints.length > 0 ? ` (${complaints.at(-1)})` : ''
  throw new Error(
    `no Redis server (6.2 or newer) was found and none could be installed${reason}: ${remedy()}, or set REDIS_URL`,
  )
}

function installed(say: (line: string) => void): RedisBinary | undefined {
  for (const [tool, command] of systemCommands()) {
    if (!has(tool)) continue
    say(`Redis is missing: running ${command.join(' ')}`)
    if (tool === 'apt-get') run([...command.slice(0, command.indexOf('env')), 'apt-get', '-q', 'update'])
    run(command)
    const found = redisOnPath()
    if (found) return found
  }
  return undefined
}

function unpacked(cacheDir: string, say: (line: string) => void): RedisBinary | undefined {
  if (!canUnpackDebian()) return undefined
  say(`Redis is missing: unpacking Debian's ${DEBIAN_PACKAGES[0]} into ${cacheDir}, without root`)
  complaints.push(...unpackDebian(DEBIAN_PACKAGES, redisDirectory(cacheDir)))
  return fromCache(cacheDir)
}

/** The container shares our network and the data directory, so everything else works as with a local program. */
function inDocker(say: (line: string) => void): RedisBinary | undefined {
  if (spawnSync('docker', ['info'], { stdio: 'ignore' }).status !== 0) return undefined
  say(`Redis is missing: running ${DOCKER_IMAGE} in Docker`)
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
  const prefix = (port: number, dir: string) => {
    const name = `millrace-redis-${port}`
    // After a SIGKILL of the client the container still runs.
    spawnSync('docker', ['rm', '-f', name], { stdio: 'ignore' })
    return [
      'run',
      '--rm',
      '--name',
      name,
      '--network=host',
      '--user',
      user,
      '-v',
      `${dir}:${dir}`,
      DOCKER_IMAGE,
      'redis-server',
    ]
  }
  return { command: 'docker', argv0: 'docker', env: {}, version: '7.4', prefix }
}

/** Tool to look for, and the whole command, by order of preference. */
function systemCommands(): [string, string[]][] {
  const isRoot = process.getuid?.() === 0
  const sudo = isRoot
    ? []
    : spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
      ? ['sudo', '-n']
      : undefined
  const apt = [
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-q',
    'install',
    '-y',
    '--no-install-recommends',
    'redis-tools',
  ]
  const withRoot: [string, string[]][] = sudo
    ? [
        ['apt-get', [...sudo, ...apt]],
        ['dnf', [...sudo, 'dnf', 'install', '-y', 'valkey']],
        ['apk', [...sudo, 'apk', 'add', 'valkey']],
      ]
    : []
  return [...withRoot, ['brew', ['brew', 'install', 'valkey']]]
}

function remedy(): string {
  if (has('apt-get')) return 'run "apt-get install redis-tools" as root'
  if (has('dnf')) return 'run "dnf install valkey" as root'
  if (has('apk')) return 'run "apk add valkey" as root'
  if (has('brew')) return 'run "brew install valkey"'
  return 'install redis or valkey'
}

function fromCache(cacheDir: string): RedisBinary | undefined {
  const root = redisDirectory(cacheDir)
  const libraries = join(root, 'usr/lib')
  if (!existsSync(libraries)) return undefined
  const folders = readdirSync(libraries, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const path = [libraries, ...folders.map((entry) => join(libraries, entry.name))].join(':')
  return probeRedis(join(root, 'usr/bin/redis-check-rdb'), 'redis-server', { LD_LIBRARY_PATH: path })
}

function redisDirectory(cacheDir: string): string {
  return resolve(cacheDir, 'redis-tools')
}

/** A failure shows when nothing is found afterwards; the program's last line is kept for that error. */
function run(command: string[]): void {
  complaints.push(...runProgram(command))
}
