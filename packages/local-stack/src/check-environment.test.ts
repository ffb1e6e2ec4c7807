import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { checkEnvironment } from './check-environment.js'
import { freePort } from './ports.js'
import { type PostgresServer, startPostgres } from './postgres.js'
import { type RedisServer, startRedis } from './redis.js'
import { SERVICES, serviceProgram } from './services.js'
import { canMountSmallDisk, mountSmallDisk, type SmallDisk } from './small-disk.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import {
  type FakeServer,
  startFakePostgres,
  startFakeRedis,
  startSilentServer,
  startWebServer,
} from './testing/fake-servers.js'
import { waitFor } from './wait.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

let home: string
let postgres: PostgresServer
let redis: RedisServer
const fakes: FakeServer[] = []

beforeAll(async () => {
  home = temporaryDirectory('millrace-environment-')
  postgres = await startPostgres({ auth: 'scram' })
  redis = await startRedis({ appendonly: false })
  await redis.command('CONFIG', 'SET', 'requirepass', 'right')
})
afterAll(async () => {
  await postgres?.stop()
  await redis?.stop()
  removeTemporary(home)
})
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.close()
})

async function fake(starting: Promise<FakeServer>): Promise<number> {
  const server = await starting
  fakes.push(server)
  return server.port
}

/** What `npm start` says about an environment before it starts anything. */
async function problemsOf(env: Record<string, string>): Promise<string[]> {
  const { PATH, JAVA_HOME } = process.env
  return (await checkEnvironment(ROOT, { PATH, JAVA_HOME, MILLRACE_DATA_DIR: home, ...env })).problems
}

/** A role that may log in and read. The library is that of @millrace/database, since this package has none. */
async function createReader(url: string): Promise<void> {
  const { Client } = createRequire(join(ROOT, 'packages/database/package.json'))('pg') as {
    Client: new (
      options: object,
    ) => {
      connect(): Promise<void>
      query(sql: string): Promise<unknown>
      end(): Promise<void>
    }
  }
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(`create role reader login password 'secret'`)
  await client.end()
}

/** The URL of the real PostgreSQL, changed. */
function databaseUrl(change: (url: URL) => void): string {
  const url = new URL(postgres.url)
  change(url)
  return url.href
}

type Given = () => Promise<Record<string, string>> | Record<string, string>

describe('a start with a wrong setting', () => {
  const cases: [string, Given, RegExp][] = [
    [
      'a port that is no number',
      () => ({ HTTP_PORT: 'abc' }),
      /^HTTP_PORT must be a whole number from 0 to 65535, but is "abc"\.$/,
    ],
    [
      'a port that is too high',
      () => ({ HTTP_PORT: '99999' }),
      /^HTTP_PORT must be a whole number from 0 to 65535, but is "99999"\.$/,
    ],
    [
      'a negative port',
      () => ({ HTTP_PORT: '-1' }),
      /^HTTP_PORT must be a whole number from 0 to 65535, but is "-1"\.$/,
    ],
    ['unknown ports', () => ({ MILLRACE_PORTS: 'any' }), /^MILLRACE_PORTS must be default or free, but is "any"\.$/],
    [
      'a data directory that is a file',
      () => {
        writeFileSync(join(home, 'file'), '')
        return { MILLRACE_DATA_DIR: join(home, 'file') }
      },
      /^MILLRACE_DATA_DIR must be a directory \(\S+file is a file\), but is "\S+file"\.$/,
    ],
    [
      'a data directory below a file',
      () => {
        writeFileSync(join(home, 'file'), '')
        return { MILLRACE_DATA_DIR: join(home, 'file/below/it') }
      },
      /^MILLRACE_DATA_DIR must be a directory \(\S+file is a file\)/,
    ],
    [
      'a Redis URL with another scheme',
      () => ({ REDIS_URL: 'http://user:secret@x' }),
      /^REDIS_URL must be a URL such as redis:.*[^"]\.$/,
    ],
    [
      'a Redis URL of a closed port',
      async () => ({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` }),
      /^REDIS_URL names 127\.0\.0\.1:\d+, where nothing listens: start Redis, or correct/,
    ],
    [
      'a Redis URL of an unknown host',
      () => ({ STREAM_REDIS_URL: 'redis://no-such-host.invalid' }),
      /^STREAM_REDIS_URL names no-such-host\.invalid:6379, and there is no host of this name/,
    ],
    [
      'a Redis URL with a wrong password',
      () => ({ CACHE_REDIS_URL: `redis://:hunter2@127.0.0.1:${redis.port}` }),
      /^Redis at \S+ refuses the user or the password of CACHE_REDIS_URL: correct them$/,
    ],
    [
      'a Redis URL without a password',
      () => ({ REDIS_URL: redis.url }),
      /^Redis at \S+ refuses the user or the password of REDIS_URL: correct them$/,
    ],
    [
      'a Redis URL of a web server',
      async () => ({ REDIS_URL: `redis://127.0.0.1:${await fake(startWebServer())}` }),
      /^REDIS_URL names \S+, where a program other than Redis answers/,
    ],
    [
      'a Redis URL of a PostgreSQL server',
      () => ({ REDIS_URL: `redis://127.0.0.1:${postgres.port}` }),
      /^REDIS_URL names \S+, where a program other than Redis answers/,
    ],
    [
      'a Redis URL of a server that does not answer',
      async () => ({ REDIS_URL: `redis://127.0.0.1:${await fake(startSilentServer())}` }),
      /^REDIS_URL names \S+, which gives no answer within 1\.5 s/,
    ],
    [
      'a Redis URL with TLS of a server without',
      () => ({ REDIS_URL: `rediss://127.0.0.1:${redis.port}` }),
      /^REDIS_URL names \S+, which gives no answer within 1\.5 s: .*, or use redis:\/\/ for a server without TLS$/,
    ],
    [
      'a Redis that is too old',
      async () => ({ REDIS_URL: `redis://127.0.0.1:${await fake(startFakeRedis('6.0.16'))}` }),
      /^Redis at \S+ \(REDIS_URL\) is version 6\.0\.16: Millrace needs 6\.2 or newer$/,
    ],
    [
      'a Sentinel',
      async () => ({ REDIS_URL: `redis://127.0.0.1:${await fake(startFakeRedis('7.0.0', 'sentinel'))}` }),
      /^REDIS_URL names \S+, which is a Sentinel/,
    ],
    [
      'a Redis database that does not exist',
      () => ({ REDIS_URL: `redis://:right@127.0.0.1:${redis.port}/9999` }),
      /^Redis at \S+ has no database 9999/,
    ],
    [
      'a database URL that is none',
      () => ({ DATABASE_URL: 'localhost/secret' }),
      /^DATABASE_URL must be a URL such as postgres:\S+\.$/,
    ],
    [
      'a database URL with another scheme',
      () => ({ DATABASE_URL: 'mysql://u:secret@h/d' }),
      /^DATABASE_URL must be a URL such as postgres:\S+\.$/,
    ],
    [
      'a database URL of a closed port',
      async () => ({ DATABASE_URL: `postgres://u:secret@127.0.0.1:${await freePort()}/x` }),
      /^DATABASE_URL names 127\.0\.0\.1:\d+, where nothing listens: start PostgreSQL, or correct/,
    ],
    [
      'a database URL of an unknown host',
      () => ({ DATABASE_URL: 'postgres://u:secret@no-such-host.invalid/x' }),
      /^DATABASE_URL names no-such-host\.invalid:5432, and there is no host of this name/,
    ],
    [
      'a database URL with a wrong password',
      () => ({ DATABASE_URL: databaseUrl((url) => Object.assign(url, { password: 'secret' })) }),
      /^PostgreSQL at \S+ refuses the password of the user postgres/,
    ],
    [
      'a database URL without a password',
      () => ({ DATABASE_URL: databaseUrl((url) => Object.assign(url, { password: '' })) }),
      /^PostgreSQL at \S+ wants a password for the user postgres: add it to DATABASE_URL$/,
    ],
    [
      'a database URL with an unknown user',
      () => ({ DATABASE_URL: databaseUrl((url) => Object.assign(url, { username: 'nobody' })) }),
      /^PostgreSQL at \S+ (refuses the password of|does not let in) the user nobody/,
    ],
    [
      'a database URL of a database that does not exist',
      () => ({ DATABASE_URL: databaseUrl((url) => Object.assign(url, { pathname: '/absent' })) }),
      /^PostgreSQL at \S+ has no database absent: create it, or correct DATABASE_URL$/,
    ],
    [
      'a database URL of a web server',
      async () => ({ DATABASE_URL: `postgres://u:secret@127.0.0.1:${await fake(startWebServer())}/x` }),
      /^DATABASE_URL names \S+, where a program other than PostgreSQL answers/,
    ],
    [
      'a database URL of a Redis server',
      () => ({ DATABASE_URL: `postgres://u:secret@127.0.0.1:${redis.port}/x` }),
      /^DATABASE_URL names \S+, where a program other than PostgreSQL answers/,
    ],
    [
      'a database URL of a server that does not answer',
      async () => ({ DATABASE_URL: `postgres://u:secret@127.0.0.1:${await fake(startSilentServer())}/x` }),
      /^DATABASE_URL names \S+, which gives no answer within 1\.2 s/,
    ],
    [
      'a PostgreSQL that is too old',
      async () => ({ DATABASE_URL: `postgres://u:secret@127.0.0.1:${await fake(startFakePostgres('14.9'))}/x` }),
      /^PostgreSQL at \S+ \(DATABASE_URL\) is version 14\.9: Millrace needs 15 or newer$/,
    ],
    [
      'an archive with keys in its URL',
      () => ({ ARCHIVE_URL: 's3://key:secret@archive' }),
      /^ARCHIVE_URL must be a URL such as .*\(it must not hold credentials: they belong into ARCHIVE_S3_ACCESS_KEY_ID/,
    ],
    [
      'an archive in a folder below a file',
      () => {
        writeFileSync(join(home, 'file'), '')
        return { ARCHIVE_URL: `file:${home}/file/archive` }
      },
      /^ARCHIVE_URL names the folder \S+, to which this process cannot write \(ENOTDIR/,
    ],
    [
      'an archive on an S3 server whose port is closed',
      async () => ({
        ARCHIVE_URL: `s3://archive?endpoint=http://127.0.0.1:${await freePort()}`,
        ARCHIVE_S3_ACCESS_KEY_ID: 'key',
        ARCHIVE_S3_SECRET_ACCESS_KEY: 'hunter2',
      }),
      /^ARCHIVE_URL names 127\.0\.0\.1:\d+, where nothing listens: start the S3 server, or correct endpoint in ARCHIVE_URL$/,
    ],
  ]

  const kafkaCases: [string, Given, RegExp][] = [
    [
      'KAFKA_BROKERS with a broker without a port',
      () => ({ STREAM_DRIVER: 'kafka', KAFKA_BROKERS: 'kafka-1' }),
      /^KAFKA_BROKERS must .*"kafka-1"/,
    ],
    [
      'KAFKA_BROKERS with a port where nothing listens',
      async () => ({ STREAM_DRIVER: 'kafka', KAFKA_BROKERS: `127.0.0.1:${await freePort()}` }),
      /^KAFKA_BROKERS names 127\.0\.0\.1:\d+, where nothing listens: start Kafka, or correct the host and the port$/,
    ],
    [
      'KAFKA_BROKERS of a mirror with a port where nothing listens',
      async () => ({ KAFKA_MIRROR_TOPIC: 'mirror', KAFKA_BROKERS: `127.0.0.1:${await freePort()}` }),
      /^KAFKA_BROKERS names 127\.0\.0\.1:\d+, where nothing listens/,
    ],
    [
      'KAFKA_BROKERS with the port of another program',
      async () => ({ STREAM_DRIVER: 'kafka', KAFKA_BROKERS: `127.0.0.1:${await fake(startWebServer())}` }),
      /^KAFKA_BROKERS names \S+, where a program other than Kafka answers/,
    ],
    [
      'a login to Kafka without a password',
      () => ({
        STREAM_DRIVER: 'kafka',
        KAFKA_BROKERS: '127.0.0.1:9092',
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_SASL_USERNAME: 'ada',
      }),
      /^KAFKA_SASL_MECHANISM and KAFKA_SASL_USERNAME are set, but KAFKA_SASL_PASSWORD is not/,
    ],
    [
      'a server name for TLS without TLS',
      () => ({ STREAM_DRIVER: 'kafka', KAFKA_BROKERS: '127.0.0.1:9092', KAFKA_SSL_SERVER_NAME: 'broker.example' }),
      /^KAFKA_SSL_SERVER_NAME is set, but KAFKA_SSL_ENABLED is false/,
    ],
    [
      'more replicas in sync than replicas',
      () => ({
        STREAM_DRIVER: 'kafka',
        KAFKA_BROKERS: '127.0.0.1:9092',
        KAFKA_REPLICATION_FACTOR: '1',
        KAFKA_MIN_INSYNC_REPLICAS: '2',
      }),
      /^KAFKA_MIN_INSYNC_REPLICAS is 2, but KAFKA_REPLICATION_FACTOR is 1/,
    ],
    [
      'a mirror to Kafka without brokers',
      () => ({ KAFKA_MIRROR_TOPIC: 'mirror' }),
      /^KAFKA_MIRROR_TOPIC is mirror, but KAFKA_BROKERS is not set/,
    ],
  ]

  test.each([...cases, ...kafkaCases])(
    'is refused with one sentence that names the setting and the remedy: %s',
    async (_, given, sentence) => {
      const problems = await problemsOf(await given())
      expect(problems).toEqual([expect.stringMatching(sentence)])
      expect(problems[0]).not.toMatch(/secret|hunter2|\n/)
    },
  )

  const testOnSmallDisk = canMountSmallDisk('a data directory on a read-only disk') ? test : test.skip
  testOnSmallDisk('is refused when the data directory is on a read-only disk', async () => {
    const disk = mountSmallDisk(1024 ** 2) as SmallDisk
    spawnSync('mount', ['-o', 'remount,ro', disk.path])
    const problems = await problemsOf({ MILLRACE_DATA_DIR: join(disk.path, 'data') })
    disk.remove()
    expect(problems).toEqual([
      expect.stringMatching(
        /^MILLRACE_DATA_DIR must be a directory that this process may write to \(\S+ is on a read-only disk\), but is "\S+"\.$/,
      ),
    ])
  })

  test('is refused when npm start has to run a Kafka broker itself and there is no Java or no Maven', async () => {
    const programs = temporaryDirectory('millrace-programs-')
    // Without the jars of earlier runs, which make Maven unnecessary.
    const env = { PATH: programs, STREAM_DRIVER: 'kafka', MILLRACE_DATA_DIR: home }
    const problems = async () => (await checkEnvironment(programs, env)).problems
    try {
      expect(await problems()).toEqual([
        expect.stringMatching(
          /^a Kafka broker needs Java 17 or newer, .*; or set KAFKA_BROKERS to the brokers of a cluster$/,
        ),
      ])
      const java = '#!/bin/sh\necho \'openjdk version "17.0.1"\' >&2\n'
      writeFileSync(join(programs, 'java'), java, { mode: 0o755 })
      expect(await problems()).toEqual([
        expect.stringMatching(
          /no program mvn on PATH: install Maven .*; or set KAFKA_BROKERS to the brokers of a cluster$/,
        ),
      ])
    } finally {
      removeTemporary(programs)
    }
  })

  test('is refused when the user of the database may not create tables', async () => {
    await createReader(postgres.url)
    const url = databaseUrl((one) => Object.assign(one, { username: 'reader', password: 'secret' }))
    expect(await problemsOf({ DATABASE_URL: url })).toEqual([
      expect.stringMatching(
        /^the user reader may not create tables in the database millrace at \S+ \(DATABASE_URL\): make it the owner/,
      ),
    ])
  })
})

test('a start with right settings of servers is not refused, and several problems are reported together', async () => {
  const right = { DATABASE_URL: postgres.url, REDIS_URL: `redis://:right@127.0.0.1:${redis.port}/3` }
  expect(await problemsOf(right)).toEqual([])
  expect(await problemsOf({})).toEqual([])
  const problems = await problemsOf({ ...right, HTTP_PORT: 'abc', EVENT_BYTES_MAX: 'big', LOG_LEVEL: 'loud' })
  expect(problems.map((problem) => problem.split(' ')[0])).toEqual(['LOG_LEVEL', 'HTTP_PORT', 'EVENT_BYTES_MAX'])
})

test('a start without KAFKA_BROKERS is refused when other settings ask for a login or for replicas, which the broker of npm start has not', async () => {
  const own = { STREAM_DRIVER: 'kafka', KAFKA_SSL_ENABLED: 'true', KAFKA_REPLICATION_FACTOR: '3' }
  const problems = await problemsOf(own)
  expect(problems).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^KAFKA_SSL_ENABLED is set, but KAFKA_BROKERS is not: .*; set KAFKA_BROKERS\.$/),
      expect.stringMatching(/^KAFKA_REPLICATION_FACTOR is 3, but KAFKA_BROKERS is not: .*; set KAFKA_BROKERS\.$/),
    ]),
  )
})

test('a start warns of variables that look like settings and are none', async () => {
  const { warnings } = await checkEnvironment(ROOT, {
    ...process.env,
    HTPP_PORT: '1',
    MILLRACE_DIR: 'x',
    HTTP_PROXY: 'http://x',
  })
  expect(warnings).toEqual([
    'HTPP_PORT is set, but no setting has this name; HTTP_PORT was probably meant',
    'MILLRACE_DIR is set, but no setting has this name',
  ])
})

interface Setting {
  safeParse(value: string): { success: boolean; error?: { issues: { message: string }[] } }
}

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

describe.each(SERVICES.map(({ name }) => name))('the settings of %s', (name) => {
  /** Starts the service alone. Resolves with its exit code and what it wrote to standard error. */
  async function run(env: Record<string, string>): Promise<{ code: number; errors: string; log: string }> {
    const child = spawn(process.execPath, [join(ROOT, serviceProgram(name))], {
      env: { PATH: process.env.PATH, MILLRACE_DATA_DIR: join(home, name), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let errors = ''
    let log = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text))
    const [code] = (await once(child, 'close')) as [number]
    return { code, errors, log }
  }
  const right = async () => ({
    DATABASE_URL: postgres.url,
    STREAM_REDIS_URL: `redis://:right@127.0.0.1:${redis.port}`,
    CACHE_REDIS_URL: `redis://:right@127.0.0.1:${redis.port}`,
    ADMIN_PORT: String(await freePort()),
    ...(name === 'ingest-gateway' ? { HTTP_PORT: String(await freePort()) } : { GRPC_PORT: String(await freePort()) }),
  })

  test('each setting refuses a wrong value with what it must be', async () => {
    const { configSchema } = (await import(`${ROOT}/apps/${name}/src/config.ts`)) as {
      configSchema: { shape: Record<string, Setting> }
    }
    const accepting = Object.entries(configSchema.shape).filter(([, setting]) => setting.safeParse('%% ?').success)
    expect(accepting.map(([setting]) => setting).filter((setting) => !FREE_TEXTS.includes(setting))).toEqual([])
    for (const setting of Object.values(configSchema.shape))
      for (const { message } of setting.safeParse('%% ?').error?.issues ?? []) expect(message).toMatch(/^must /)
  })

  test('the service alone ends with exit code 78 and one sentence for each wrong setting, without a stack of calls', async () => {
    const { code, errors, log } = await run({ ...(await right()), LOG_LEVEL: 'loud', ADMIN_PORT: '99999' })
    expect(code).toBe(78)
    expect(errors).toBe(
      `${name}: the configuration has 2 problems:\n` +
        '  LOG_LEVEL must be one of debug, info, warn, error, fatal, but is "loud".\n' +
        '  ADMIN_PORT must be a whole number from 0 to 65535, but is "99999".\n',
    )
    expect(log).toBe('')
  })

  test('the service alone ends with one sentence when its port is in use', async () => {
    const port = await fake(startSilentServer())
    const { code, errors, log } = await run({ ...(await right()), ADMIN_PORT: String(port) })
    expect(code).toBe(1)
    expect(errors).toBe(
      `${name}: port ${port} on 127.0.0.1 is in use: stop the process that holds it, or set ADMIN_PORT to another port\n`,
    )
    expect(log).not.toMatch(/ {4}at /)
  })

  test('the service alone ends with one sentence when the database refuses its password', async () => {
    const DATABASE_URL = databaseUrl((url) => Object.assign(url, { password: 'secret' }))
    const { code, errors, log } = await run({ ...(await right()), DATABASE_URL })
    expect(code).toBe(1)
    expect(errors).toMatch(new RegExp(`^${name}: PostgreSQL at \\S+ refuses the password of the user postgres: .*\\n$`))
    expect(log).not.toMatch(/ {4}at |secret/)
  })

  test('the service alone ends with one sentence when its Redis refuses the password', async () => {
    const url = `redis://:hunter2@127.0.0.1:${redis.port}`
    const setting = name === 'analytics-query' ? 'CACHE_REDIS_URL' : 'STREAM_REDIS_URL'
    const { code, errors } = await run({ ...(await right()), [setting]: url })
    expect(code).toBe(1)
    expect(errors).toMatch(
      new RegExp(`^${name}: Redis at \\S+ refuses the user or the password of ${setting}: correct them\\n$`),
    )
  })

  test('the service alone says at once that its database cannot be reached, and goes on trying', async () => {
    const port = await freePort()
    const child = spawn(process.execPath, [join(ROOT, serviceProgram(name))], {
      env: {
        PATH: process.env.PATH,
        ...(await right()),
        DATABASE_URL: `postgres://u:secret@127.0.0.1:${port}/x`,
        MILLRACE_DATA_DIR: join(home, name),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let log = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text))
    await waitFor(() => log.includes(`DATABASE_URL names 127.0.0.1:${port}, where nothing listens`))
    expect(child.exitCode).toBeNull()
    expect(log).not.toContain('secret')
    child.kill('SIGKILL')
    await once(child, 'close')
  })
})
