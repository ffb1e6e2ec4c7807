import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { checkEnvironment } from './check-environment.js'
import { freePort } from './ports.js'
import { type PostgresServer, startPostgres } from './postgres.js'
import { type RedisServer, startRedis } from './redis.js'
import { canMountSmallDisk, mountSmallDisk, type SmallDisk } from './small-disk.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import {
  type FakeServer,
  startFakePostgres,
  startFakeRedis,
  startSilentServer,
  startWebServer,
} from './testing/fake-servers.js'

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

/** What is wrong, the settings that say so, and the sentence that is expected. */
type WrongSetting = [string, Given, RegExp]

describe('a start with wrong settings', () => {
  // Each list is one start, since each check of all settings takes a second of processor time.
  const starts: WrongSetting[][] = [
    [
      [
        'a port that is no number',
        () => ({ HTTP_PORT: 'abc' }),
        /^HTTP_PORT must be a whole number from 0 to 65535, but is "abc"\.$/,
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
        'a database URL of a closed port',
        async () => ({ DATABASE_URL: `postgres://u:secret@127.0.0.1:${await freePort()}/x` }),
        /^DATABASE_URL names 127\.0\.0\.1:\d+, where nothing listens: start PostgreSQL, or correct/,
      ],
      [
        'a stream Redis of an unknown host',
        () => ({ STREAM_REDIS_URL: 'redis://no-such-host.invalid' }),
        /^STREAM_REDIS_URL names no-such-host\.invalid:6379, and there is no host of this name/,
      ],
      [
        'a cache Redis with a wrong password',
        () => ({ CACHE_REDIS_URL: `redis://:hunter2@127.0.0.1:${redis.port}` }),
        /^Redis at \S+ refuses the user or the password of CACHE_REDIS_URL: correct them$/,
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
      [
        'KAFKA_BROKERS of a mirror with a port where nothing listens',
        async () => ({ KAFKA_MIRROR_TOPIC: 'mirror', KAFKA_BROKERS: `127.0.0.1:${await freePort()}` }),
        /^KAFKA_BROKERS names 127\.0\.0\.1:\d+, where nothing listens/,
      ],
    ],
    [
      [
        'a port that is too high',
        () => ({ HTTP_PORT: '99999' }),
        /^HTTP_PORT must be a whole number from 0 to 65535, but is "99999"\.$/,
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
        'a user of the database who may not create tables',
        async () => {
          await createReader(postgres.url)
          return { DATABASE_URL: databaseUrl((url) => Object.assign(url, { username: 'reader', password: 'secret' })) }
        },
        /^the user reader may not create tables in the database millrace at \S+ \(DATABASE_URL\): make it the owner/,
      ],
      [
        'a Redis that is too old',
        async () => ({ REDIS_URL: `redis://127.0.0.1:${await fake(startFakeRedis('6.0.16'))}` }),
        /^Redis at \S+ \(REDIS_URL\) is version 6\.0\.16: Millrace needs 6\.2 or newer$/,
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
        'KAFKA_BROKERS with the port of another program',
        async () => ({ STREAM_DRIVER: 'kafka', KAFKA_BROKERS: `127.0.0.1:${await fake(startWebServer())}` }),
        /^KAFKA_BROKERS names \S+, where a program other than Kafka answers/,
      ],
    ],
    [
      [
        'KAFKA_BROKERS with a port where nothing listens',
        async () => ({ STREAM_DRIVER: 'kafka', KAFKA_BROKERS: `127.0.0.1:${await freePort()}` }),
        /^KAFKA_BROKERS names 127\.0\.0\.1:\d+, where nothing listens: start Kafka, or correct the host and the port$/,
      ],
    ],
    [
      [
        'a negative port',
        () => ({ HTTP_PORT: '-1' }),
        /^HTTP_PORT must be a whole number from 0 to 65535, but is "-1"\.$/,
      ],
      [
        'a Redis URL with another scheme',
        () => ({ REDIS_URL: 'http://user:secret@x' }),
        /^REDIS_URL must be a URL such as redis:.*[^"]\.$/,
      ],
      [
        'a database URL that is none',
        () => ({ DATABASE_URL: 'localhost/secret' }),
        /^DATABASE_URL must be a URL such as postgres:\S+\.$/,
      ],
      [
        'an archive with keys in its URL',
        () => ({ ARCHIVE_URL: 's3://key:secret@archive' }),
        /^ARCHIVE_URL must be a URL such as .*\(it must not hold credentials: they belong into ARCHIVE_S3_ACCESS_KEY_ID/,
      ],
      [
        'KAFKA_BROKERS with a broker without a port',
        () => ({ STREAM_DRIVER: 'kafka', KAFKA_BROKERS: 'kafka-1' }),
        /^KAFKA_BROKERS must .*"kafka-1"/,
      ],
    ],
    [
      [
        'a database URL with another scheme',
        () => ({ DATABASE_URL: 'mysql://u:secret@h/d' }),
        /^DATABASE_URL must be a URL such as postgres:\S+\.$/,
      ],
    ],
    [
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
        () => ({ KAFKA_SSL_SERVER_NAME: 'broker.example' }),
        /^KAFKA_SSL_SERVER_NAME is set, but KAFKA_SSL_ENABLED is false/,
      ],
      [
        'more replicas in sync than replicas',
        () => ({ KAFKA_REPLICATION_FACTOR: '1', KAFKA_MIN_INSYNC_REPLICAS: '2' }),
        /^KAFKA_MIN_INSYNC_REPLICAS is 2, but KAFKA_REPLICATION_FACTOR is 1/,
      ],
      [
        'events that are accepted and then deleted at once',
        () => ({ EVENTS_MAX_AGE_DAYS: '60', EVENTS_RETENTION_DAYS: '30' }),
        /^EVENTS_MAX_AGE_DAYS is 60, but EVENTS_RETENTION_DAYS is 30: events would be accepted and then deleted at once/,
      ],
    ],
    [
      [
        'a mirror to Kafka without brokers',
        () => ({ KAFKA_MIRROR_TOPIC: 'mirror' }),
        /^KAFKA_MIRROR_TOPIC is mirror, but KAFKA_BROKERS is not set/,
      ],
    ],
  ]

  test.each(starts.map((wrong) => ({ wrong, list: wrong.map(([what]) => what).join(', ') })))(
    'is refused with one sentence for each that names the setting and the remedy: $list',
    async ({ wrong }) => {
      const env: Record<string, string> = {}
      for (const [, given] of wrong) Object.assign(env, await given())
      const problems = await problemsOf(env)
      expect(problems).toHaveLength(wrong.length)
      for (const [, , sentence] of wrong) expect(problems).toContainEqual(expect.stringMatching(sentence))
      for (const problem of problems) expect(problem).not.toMatch(/secret|hunter2|\n/)
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
})

/** A URL of a server that cannot be used, and the sentence that is expected. */
type WrongServer = [string, () => Promise<string> | string, RegExp]

interface State {
  readonly kind: string
  readonly problem?: string
}

// What a start and a service say about a server. In this process, since a start of each check as a program takes as long as all of these cases.
describe('the check of a server', () => {
  const databases: WrongServer[] = [
    [
      'a database URL of a closed port',
      async () => `postgres://u:secret@127.0.0.1:${await freePort()}/x`,
      /^DATABASE_URL names 127\.0\.0\.1:\d+, where nothing listens: start PostgreSQL, or correct/,
    ],
    [
      'a database URL of an unknown host',
      () => 'postgres://u:secret@no-such-host.invalid/x',
      /^DATABASE_URL names no-such-host\.invalid:5432, and there is no host of this name/,
    ],
    [
      'a database URL with a wrong password',
      () => databaseUrl((url) => Object.assign(url, { password: 'secret' })),
      /^PostgreSQL at \S+ refuses the password of the user postgres/,
    ],
    [
      'a database URL without a password',
      () => databaseUrl((url) => Object.assign(url, { password: '' })),
      /^PostgreSQL at \S+ wants a password for the user postgres: add it to DATABASE_URL$/,
    ],
    [
      'a database URL with an unknown user',
      () => databaseUrl((url) => Object.assign(url, { username: 'nobody' })),
      /^PostgreSQL at \S+ (refuses the password of|does not let in) the user nobody/,
    ],
    [
      'a database URL of a database that does not exist',
      () => databaseUrl((url) => Object.assign(url, { pathname: '/absent' })),
      /^PostgreSQL at \S+ has no database absent: create it, or correct DATABASE_URL$/,
    ],
    [
      'a database URL of a web server',
      async () => `postgres://u:secret@127.0.0.1:${await fake(startWebServer())}/x`,
      /^DATABASE_URL names \S+, where a program other than PostgreSQL answers/,
    ],
    [
      'a database URL of a Redis server',
      () => `postgres://u:secret@127.0.0.1:${redis.port}/x`,
      /^DATABASE_URL names \S+, where a program other than PostgreSQL answers/,
    ],
    [
      'a database URL of a server that does not answer',
      async () => `postgres://u:secret@127.0.0.1:${await fake(startSilentServer())}/x`,
      /^DATABASE_URL names \S+, which gives no answer within 3 s/,
    ],
    [
      'a PostgreSQL that is too old',
      async () => `postgres://u:secret@127.0.0.1:${await fake(startFakePostgres('14.9'))}/x`,
      /^PostgreSQL at \S+ \(DATABASE_URL\) is version 14\.9: Millrace needs 15 or newer$/,
    ],
  ]

  test.each(databases)('finds one sentence that names the setting and the remedy: %s', async (_, given, sentence) => {
    const { checkDatabase } = (await import(`${ROOT}/packages/database/src/check-database.ts`)) as {
      checkDatabase(url: string, options: { setting: string }): Promise<State>
    }
    expectProblem(await checkDatabase(await given(), { setting: 'DATABASE_URL' }), sentence)
  })

  const redisServers: WrongServer[] = [
    [
      'a Redis URL of a closed port',
      async () => `redis://127.0.0.1:${await freePort()}`,
      /^REDIS_URL names 127\.0\.0\.1:\d+, where nothing listens: start Redis, or correct/,
    ],
    [
      'a Redis URL of an unknown host',
      () => 'redis://no-such-host.invalid',
      /^REDIS_URL names no-such-host\.invalid:6379, and there is no host of this name/,
    ],
    [
      'a Redis URL with a wrong password',
      () => `redis://:hunter2@127.0.0.1:${redis.port}`,
      /^Redis at \S+ refuses the user or the password of REDIS_URL: correct them$/,
    ],
    [
      'a Redis URL without a password',
      () => redis.url,
      /^Redis at \S+ refuses the user or the password of REDIS_URL: correct them$/,
    ],
    [
      'a Redis URL of a web server',
      async () => `redis://127.0.0.1:${await fake(startWebServer())}`,
      /^REDIS_URL names \S+, where a program other than Redis answers/,
    ],
    [
      'a Redis URL of a PostgreSQL server',
      () => `redis://127.0.0.1:${postgres.port}`,
      /^REDIS_URL names \S+, where a program other than Redis answers/,
    ],
    [
      'a Redis URL of a server that does not answer',
      async () => `redis://127.0.0.1:${await fake(startSilentServer())}`,
      /^REDIS_URL names \S+, which gives no answer within 3 s/,
    ],
    [
      'a Redis URL with TLS of a server without',
      () => `rediss://127.0.0.1:${redis.port}`,
      /^REDIS_URL names \S+, which gives no answer within 3 s: .*, or use redis:\/\/ for a server without TLS$/,
    ],
    [
      'a Redis that is too old',
      async () => `redis://127.0.0.1:${await fake(startFakeRedis('6.0.16'))}`,
      /^Redis at \S+ \(REDIS_URL\) is version 6\.0\.16: Millrace needs 6\.2 or newer$/,
    ],
    [
      'a Sentinel',
      async () => `redis://127.0.0.1:${await fake(startFakeRedis('7.0.0', 'sentinel'))}`,
      /^REDIS_URL names \S+, which is a Sentinel/,
    ],
    [
      'a Redis database that does not exist',
      () => `redis://:right@127.0.0.1:${redis.port}/9999`,
      /^Redis at \S+ has no database 9999/,
    ],
  ]

  test.each(redisServers)(
    'finds one sentence that names the setting and the remedy: %s',
    async (_, given, sentence) => {
      const { checkRedis } = (await import(`${ROOT}/packages/redis/src/check-redis.ts`)) as {
        checkRedis(config: { url: string }, setting: string): Promise<State>
      }
      expectProblem(await checkRedis({ url: await given() }, 'REDIS_URL'), sentence)
    },
  )

  function expectProblem({ kind, problem }: State, sentence: RegExp): void {
    expect(kind).toMatch(/^(wrong|unreachable)$/)
    expect(problem).toMatch(sentence)
    expect(problem).not.toMatch(/secret|hunter2|\n/)
  }
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
