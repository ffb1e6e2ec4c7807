import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findMissingProgram } from './kafka/find-kafka.js'
import { SERVICES } from './services.js'
import { kafkaCacheDirs } from './stack-servers.js'

/** Longer than any check takes: that of Kafka brokers ends within 10 s. */
const TIMEOUT_MS = 15_000

export interface EnvironmentReport {
  /** One sentence each, with the setting and the remedy. A start must not go on. */
  problems: string[]
  /** One sentence each, for variables that look like settings and are none. */
  warnings: string[]
}

/**
 * Checks the environment of `npm start` before anything is started: every setting of every service, the setting of the ports, and the servers that the
 * environment names. A server that does not answer is waited for for at most 4 s, S3 for 5 s, Kafka brokers for 10 s.
 */
export async function checkEnvironment(root: string, env: NodeJS.ProcessEnv): Promise<EnvironmentReport> {
  const urls = redisSettings(env)
  const brokers = env.STREAM_DRIVER === 'kafka' || env.KAFKA_MIRROR_TOPIC ? env.KAFKA_BROKERS : ''
  const [settings, database, redis, kafka, archive] = await Promise.all([
    checkSettings(root, env, urls),
    env.DATABASE_URL ? runCheck(root, 'packages/database/dist/check-cli.js', ['DATABASE_URL'], env) : '',
    urls.length > 0 ? runCheck(root, 'packages/redis/dist/check-cli.js', urls, env) : '',
    brokers ? runCheck(root, 'packages/streams/dist/check-cli.js', [], env) : '',
    // Without ARCHIVE_URL it is in MILLRACE_DATA_DIR, which is checked as a setting.
    env.ARCHIVE_URL ? runCheck(root, 'packages/object-store/dist/check-cli.js', [], env) : '',
  ])
  const ports = env.MILLRACE_PORTS
  const isKnown = ports === undefined || ['', 'default', 'free'].includes(ports)
  return {
    warnings: [...settings.warnings, ...unusedBrokers(env)],
    problems: [
      ...(isKnown ? [] : [`MILLRACE_PORTS must be default or free, but is "${ports}".`]),
      ...settings.problems,
      ...ownBrokerProblems(root, env),
      // A setting of a server that is not valid is among the problems already.
      ...(settings.problems.some((problem) => /^(\w+_URL|KAFKA_\w+|ARCHIVE_\w+) /.test(problem))
        ? []
        : linesOf(database + redis + kafka + archive)),
    ],
  }
}

/** Brokers that are named and not used: STREAM_DRIVER was probably forgotten. */
function unusedBrokers(env: NodeJS.ProcessEnv): string[] {
  if (!env.KAFKA_BROKERS || env.STREAM_DRIVER === 'kafka' || env.KAFKA_MIRROR_TOPIC) return []
  return ['KAFKA_BROKERS is set, but the stream is on Redis; set STREAM_DRIVER to kafka to use the brokers']
}

/** What keeps a start from running a Kafka broker of its own, which it does when KAFKA_BROKERS is not set. */
function ownBrokerProblems(root: string, env: NodeJS.ProcessEnv): string[] {
  if (env.STREAM_DRIVER !== 'kafka' || env.KAFKA_BROKERS) return []
  const missing = findMissingProgram(kafkaCacheDirs(root, env.MILLRACE_DATA_DIR || '.millrace'), env)
  const setting = ['KAFKA_SSL_ENABLED', 'KAFKA_SASL_MECHANISM'].find((name) => /^(?!(0|false)?$)/.test(env[name] ?? ''))
  const replicas = ['KAFKA_REPLICATION_FACTOR', 'KAFKA_MIN_INSYNC_REPLICAS'].find((name) => Number(env[name]) > 1)
  const own = 'KAFKA_BROKERS is not: the broker that npm start runs itself'
  return [
    ...(missing === undefined ? [] : [`${missing}; or set KAFKA_BROKERS to the brokers of a cluster`]),
    ...(setting === undefined ? [] : [`${setting} is set, but ${own} has neither TLS nor a login; set KAFKA_BROKERS.`]),
    ...(replicas === undefined
      ? []
      : [`${replicas} is ${env[replicas]}, but ${own} is a single one; set KAFKA_BROKERS.`]),
  ]
}

/** The settings that name a Redis server. */
function redisSettings(env: NodeJS.ProcessEnv): string[] {
  const isGeneralUsed = !(env.STREAM_REDIS_URL && env.CACHE_REDIS_URL)
  return ['STREAM_REDIS_URL', 'CACHE_REDIS_URL', ...(isGeneralUsed ? ['REDIS_URL'] : [])].filter((name) => env[name])
}

interface SettingsReport {
  problems: string[]
  misspelled: { variable: string; meant?: string }[]
}

async function checkSettings(root: string, env: NodeJS.ProcessEnv, urls: string[]): Promise<EnvironmentReport> {
  const script = 'packages/service/dist/check-settings.js'
  const apps = SERVICES.map(({ name }) => join(root, 'apps', name))
  const general = env.REDIS_URL || 'redis://127.0.0.1'
  const text = await runCheck(root, script, apps, {
    ...env,
    DATABASE_URL: env.DATABASE_URL || 'postgres://127.0.0.1/millrace',
    STREAM_REDIS_URL: env.STREAM_REDIS_URL || general,
    // Only in place of the broker that the start runs itself: a mirror needs brokers that the environment names.
    ...(env.STREAM_DRIVER === 'kafka' && { KAFKA_BROKERS: env.KAFKA_BROKERS || '127.0.0.1:9092' }),
  })
  if (text === '') return { problems: [], warnings: [] }
  const { problems, misspelled } = JSON.parse(text) as SettingsReport
  return {
    // A problem of the stream's URL is one of REDIS_URL when only that is set.
    problems: problems.map((problem) =>
      urls.includes('STREAM_REDIS_URL') ? problem : problem.replace(/^STREAM_REDIS_URL /, 'REDIS_URL '),
    ),
    warnings: misspelled.map(({ variable, meant }) => {
      const hint = meant === undefined ? '' : `; ${meant} was probably meant`
      return `${variable} is set, but no setting has this name${hint}`
    }),
  }
}

/** What a check prints; its exit code says whether there was a problem, which the text says as well. Empty when the check is not built. */
function runCheck(root: string, script: string, args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const path = join(root, script)
  if (!existsSync(path)) return Promise.resolve('')
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [path, ...args], { env, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error && stdout === '') reject(new Error(`${script}: ${stderr.trim() || error.message}`))
      else resolve(stdout)
    })
  })
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}
