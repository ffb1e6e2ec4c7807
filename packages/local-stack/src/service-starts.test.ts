import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { freePort } from './ports.js'
import { type PostgresServer, startPostgres } from './postgres.js'
import { type RedisServer, startRedis } from './redis.js'
import { GATEWAY, SERVICES, serviceProgram } from './services.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { type FakeServer, startSilentServer } from './testing/fake-servers.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** Settings for which any text is right. */
const FREE_TEXTS = [
  'LOG_MASK_FIELDS',
  'BOOTSTRAP_WRITE_KEY',
  'BOOTSTRAP_ADMIN_KEY',
  'ADMIN_TOKEN',
  'STREAM_DISK_PATH',
  'MILLRACE_DATA_DIR',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
  'FORWARD_API_KEYS',
  'SYSLOG_API_KEY',
  'GELF_API_KEY',
]

/**
 * Starts one service several times in one process, each time in another environment, since a process for each start takes a second of processor time. A start
 * that does not fail is stopped by SIGTERM once its log has the text `stopsAt`. Prints the outcomes, and what each setting says about the value "%% ?".
 */
const PROGRAM = `
  import { setTimeout as delay } from 'node:timers/promises'
  const [root, name, starts] = process.argv.slice(2)
  const { runService } = await import(root + '/packages/service/dist/index.js')
  const { configSchema } = await import(root + '/apps/' + name + '/dist/config.js')
  const { run } = await import(root + '/apps/' + name + '/dist/run.js')
  const outcomes = {}
  for (const [title, { env, stopsAt }] of Object.entries(JSON.parse(starts))) {
    const outcome = { code: undefined, errors: '', log: '' }
    const listeners = new Map()
    const started = runService({ name, configSchema, run }, {
      env,
      on: (event, listener) => listeners.set(event, listener),
      exit: (code) => { outcome.code ??= code },
      printError: (text) => { outcome.errors += text },
      writeLog: (lines) => { outcome.log += lines },
    })
    while (outcome.code === undefined) {
      if (stopsAt !== undefined && outcome.log.includes(stopsAt)) listeners.get('SIGTERM')()
      await delay(10)
    }
    await started
    outcomes[title] = outcome
  }
  const wrong = Object.entries(configSchema.shape).map(([setting, schema]) => {
    const { error } = schema.safeParse('%% ?')
    return { setting, problems: error?.issues.map(({ message }) => message) ?? [] }
  })
  process.stdout.write(JSON.stringify({ outcomes, wrong }), () => process.exit(0))`

interface Outcome {
  /** Exit code. */
  readonly code: number
  /** What the service wrote to standard error. */
  readonly errors: string
  readonly log: string
}

interface Report {
  readonly outcomes: Record<'settings' | 'port' | 'database' | 'redis' | 'unreachable', Outcome>
  readonly wrong: { readonly setting: string; readonly problems: string[] }[]
}

let home: string
let postgres: PostgresServer
let redis: RedisServer
let holder: FakeServer

beforeAll(async () => {
  home = temporaryDirectory('millrace-service-starts-')
  writeFileSync(join(home, 'starts.mjs'), PROGRAM)
  postgres = await startPostgres({ auth: 'scram' })
  redis = await startRedis({ appendonly: false })
  await redis.command('CONFIG', 'SET', 'requirepass', 'right')
  holder = await startSilentServer()
})
afterAll(async () => {
  await holder?.close()
  await postgres?.stop()
  await redis?.stop()
  removeTemporary(home)
})

/** An environment in which a service could start. */
async function rightEnvironment(name: string): Promise<Record<string, string>> {
  const servers = name === GATEWAY ? ['HTTP_PORT'] : ['GRPC_PORT']
  const ports: Record<string, string> = {}
  for (const setting of ['ADMIN_PORT', ...servers]) ports[setting] = String(await freePort())
  const url = `redis://:right@127.0.0.1:${redis.port}`
  return {
    DATABASE_URL: postgres.url,
    STREAM_REDIS_URL: url,
    CACHE_REDIS_URL: url,
    MILLRACE_DATA_DIR: join(home, name),
    ...ports,
  }
}

/** Runs a program of Node to its end. */
async function runNode(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text))
  const [code] = (await once(child, 'close')) as [number]
  return { code, errors, log }
}

const WRONG_SETTINGS = { LOG_LEVEL: 'loud', ADMIN_PORT: '99999' }

function expectWrongSettings({ code, errors, log }: Outcome, name: string): void {
  expect(code).toBe(78)
  expect(errors).toBe(
    `${name}: the configuration has 2 problems:\n` +
      '  LOG_LEVEL must be one of debug, info, warn, error, fatal, but is "loud".\n' +
      '  ADMIN_PORT must be a whole number from 0 to 65535, but is "99999".\n',
  )
  expect(log).toBe('')
}

function expectPortInUse({ code, errors, log }: Outcome, name: string): void {
  expect(code).toBe(1)
  expect(errors).toBe(
    `${name}: port ${holder.port} on 127.0.0.1 is in use: stop the process that holds it, or set ADMIN_PORT to another port\n`,
  )
  expect(log).not.toMatch(/ {4}at /)
}

describe.each(SERVICES.map(({ name }) => name))('the settings of %s', (name) => {
  let closedPort: number
  let report: Report
  const redisSetting = name === 'analytics-query' ? 'CACHE_REDIS_URL' : 'STREAM_REDIS_URL'

  beforeAll(async () => {
    const right = await rightEnvironment(name)
    closedPort = await freePort()
    const refused = new URL(postgres.url)
    refused.password = 'secret'
    const starts = {
      settings: { env: { ...right, ...WRONG_SETTINGS } },
      port: { env: { ...right, ADMIN_PORT: String(holder.port) } },
      database: { env: { ...right, DATABASE_URL: refused.href } },
      redis: { env: { ...right, [redisSetting]: `redis://:hunter2@127.0.0.1:${redis.port}` } },
      unreachable: {
        env: { ...right, DATABASE_URL: `postgres://u:secret@127.0.0.1:${closedPort}/x` },
        stopsAt: `DATABASE_URL names 127.0.0.1:${closedPort}, where nothing listens`,
      },
    }
    const { errors, log } = await runNode([join(home, 'starts.mjs'), ROOT, name, JSON.stringify(starts)])
    expect(errors).toBe('')
    report = JSON.parse(log) as Report
  })

  test('each setting refuses a wrong value with what it must be', () => {
    const accepting = report.wrong.filter(({ problems }) => problems.length === 0).map(({ setting }) => setting)
    expect(report.wrong.length).toBeGreaterThan(10)
    expect(accepting.filter((setting) => !FREE_TEXTS.includes(setting))).toEqual([])
    for (const problem of report.wrong.flatMap(({ problems }) => problems)) expect(problem).toMatch(/^must /)
  })

  test('the service alone ends with exit code 78 and one sentence for each wrong setting, without a stack of calls', () => {
    expectWrongSettings(report.outcomes.settings, name)
  })

  test('the service alone ends with one sentence when its port is in use', () => {
    expectPortInUse(report.outcomes.port, name)
  })

  test('the service alone ends with one sentence when the database refuses its password', () => {
    const { code, errors, log } = report.outcomes.database
    expect(code).toBe(1)
    expect(errors).toMatch(new RegExp(`^${name}: PostgreSQL at \\S+ refuses the password of the user postgres: .*\\n$`))
    expect(log).not.toMatch(/ {4}at |secret/)
  })

  test('the service alone ends with one sentence when its Redis refuses the password', () => {
    const { code, errors } = report.outcomes.redis
    expect(code).toBe(1)
    expect(errors).toMatch(
      new RegExp(`^${name}: Redis at \\S+ refuses the user or the password of ${redisSetting}: correct them\\n$`),
    )
  })

  test('the service alone says at once that its database cannot be reached, and goes on trying until it is stopped', () => {
    const { code, errors, log } = report.outcomes.unreachable
    expect([code, errors]).toEqual([0, ''])
    expect(log).toContain(`DATABASE_URL names 127.0.0.1:${closedPort}, where nothing listens`)
    expect(log).not.toContain('secret')
  })
})

describe('the process of a service', () => {
  const program = join(ROOT, serviceProgram(GATEWAY))

  test('ends with exit code 78 and the wrong settings on standard error', async () => {
    expectWrongSettings(await runNode([program], { ...(await rightEnvironment(GATEWAY)), ...WRONG_SETTINGS }), GATEWAY)
  })

  test('ends with exit code 1 and one sentence on standard error when its port is in use', async () => {
    const env = { ...(await rightEnvironment(GATEWAY)), ADMIN_PORT: String(holder.port) }
    expectPortInUse(await runNode([program], env), GATEWAY)
  })
})
