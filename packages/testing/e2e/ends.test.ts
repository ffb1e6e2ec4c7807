import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { removeTemporary, temporaryDirectory } from '@millrace/local-stack'
import { findTestKafka } from '../src/test-kafka.js'
import { waitFor } from '../src/wait-for.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** For a start of a whole stack, or for the end of one. A look at all processes of the machine takes processor time from the command that is waited for. */
const WAIT = { deadlineMs: 180_000, intervalMs: 250 }

let home: string
let npm: ChildProcess | undefined
let output: string

beforeEach(() => {
  home = temporaryDirectory('millrace-ends-')
  output = ''
})
afterEach(async () => {
  for (const { pid } of processes()) process.kill(pid, 'SIGKILL')
  for (const stream of [npm?.stdout, npm?.stderr]) stream?.destroy()
  await waitFor(() => processes().length === 0, WAIT)
  removeTemporary(home)
})

interface Found {
  pid: number
  command: string
}

/**
 * All processes that were started below `home`: by their environment, their arguments or their working directory. PostgreSQL gets an environment of its own,
 * and Redis writes its title over both.
 */
function processes(): Found[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return []
    try {
      const [command = '', environment] = ['cmdline', 'environ'].map((file) =>
        readFileSync(`/proc/${name}/${file}`, 'latin1'),
      )
      const isOurs = `${command}${environment}${readlinkSync(`/proc/${name}/cwd`)}`.includes(home)
      // A zombie has no command line.
      return isOurs && command !== '' ? [{ pid: Number(name), command: command.replaceAll('\0', ' ') }] : []
    } catch {
      return []
    }
  })
}

function run(args: string[], env: Record<string, string> = {}): void {
  mkdirSync(join(home, 'tmp'), { mode: 0o711 })
  npm = spawn('npm', ['run', '--silent', ...args], {
    cwd: ROOT,
    // A terminal sends Ctrl-C to the whole group.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TMPDIR: join(home, 'tmp'),
      MILLRACE_DATA_DIR: join(home, 'data'),
      MILLRACE_PORTS: 'free',
      MILLRACE_TESTS_SKIP_BUILD: '1',
      DISK_FREE_BYTES_MIN: '0',
      NODE_OPTIONS: '',
      ...env,
    },
  })
  for (const stream of [npm.stdout, npm.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
}

/** The process of one of our commands: the first below npm that is no shell. */
function commandProcess(script: string): number {
  const found = processes().find(
    ({ command }) => command.includes(`node infra/bootstrap/${script}.mjs`) && !command.startsWith('sh '),
  )
  if (found === undefined) throw new Error(`no process runs ${script}.mjs`)
  return found.pid
}

const isRunning = (part: string) => processes().some(({ command }) => command.includes(part))

type Way = 'Ctrl-C' | 'SIGTERM of npm' | 'SIGKILL of npm' | 'SIGKILL of the command' | 'SIGHUP of the command'

function end(script: string, way: Way): void {
  const pid = npm?.pid as number
  if (way === 'Ctrl-C') process.kill(-pid, 'SIGINT')
  else if (way === 'SIGTERM of npm') process.kill(pid, 'SIGTERM')
  else if (way === 'SIGKILL of npm') process.kill(pid, 'SIGKILL')
  else process.kill(commandProcess(script), way === 'SIGHUP of the command' ? 'SIGHUP' : 'SIGKILL')
}

const hasKafka = typeof findTestKafka('the end of a start with Kafka') !== 'string'
const START = ['start']
const CHAOS = ['chaos', '--', '--only', 'crash', '--rounds', '50']
const BENCH = ['bench', '--', 'cache']
const TEST = ['test', '--', '-w', '2', 'packages/local-stack/src/supervise', 'packages/testing/src/fixtures']
const MUTANTS = ['mutants', '--', '--package', 'spool']

/** Name of the command, its arguments, how it is ended, and a part of the command line of a process that shows that it is at work. */
const cases: [string, string[], Way, string][] = [
  ['start', START, 'Ctrl-C', 'health-aggregator/dist/main.js'],
  ['start', START, 'SIGTERM of npm', 'redis-server'],
  ['start', START, 'SIGKILL of npm', 'redis-server'],
  ['start', START, 'SIGKILL of the command', 'health-aggregator/dist/main.js'],
  ['start', START, 'SIGHUP of the command', 'postgres'],
  ['bench', BENCH, 'SIGKILL of npm', 'redis-server'],
  ['chaos', CHAOS, 'SIGTERM of npm', 'ingest-gateway/dist/main.js'],
  ['test', TEST, 'Ctrl-C', 'postgres'],
  ['test', TEST, 'SIGKILL of the command', 'postgres'],
  ['mutants', MUTANTS, 'SIGHUP of the command', 'jest.js --silent --forceExit'],
  ['mutants', MUTANTS, 'SIGKILL of the command', 'jest.js --silent --forceExit'],
]

describe('a command', () => {
  test.each(cases)(
    'leaves no process and no temporary file behind: npm run %s %j, ended by %s',
    async (script, args, way, atWork) => {
      // A start that is killed with all of its services runs every kind of server.
      const isWhole = script === 'start' && way === 'SIGKILL of the command'
      run(args, isWhole && hasKafka ? { STREAM_DRIVER: 'kafka' } : {})
      await waitFor(() => isRunning(atWork), { ...WAIT, what: `a process ${atWork} (${output})` })
      if (isWhole) expect(isRunning('kafka.Kafka')).toBe(hasKafka)
      end(script, way)
      await waitFor(() => processes().length === 0, { ...WAIT, what: 'the end of all processes' }).catch(
        (error: Error) => {
          throw new Error(
            `${error.message}; still there: ${processes()
              .map(({ command }) => command)
              .join('; ')}`,
          )
        },
      )
      expect(
        readdirSync(join(home, 'tmp')).filter(
          (name) => !/^millrace-(owners|ports)-\d+$|^node-compile-cache$|^jest_/.test(name),
        ),
      ).toEqual([])
    },
  )
})
