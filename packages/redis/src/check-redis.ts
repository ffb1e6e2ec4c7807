import type { Logger } from '@millrace/logger'
import { Redis } from 'ioredis'
import { type RedisConfig, type RedisTarget, toTarget } from './redis-config.js'
import { redisErrors } from './redis-errors.js'

/** A server far away, or on a busy machine, may need a second. */
const TIMEOUT_MS = 3000
/** XAUTOCLAIM and the stream options that are used came with this version. */
const VERSION_MIN = [6, 2] as const

/**
 * What was found at the address of a Redis server. `unreachable` may pass by itself, as when the server is still starting; `wrong` needs a person. `problem`
 * is a sentence with the remedy, without a password.
 */
export type RedisState = { readonly kind: 'ok' } | { readonly kind: 'unreachable' | 'wrong'; readonly problem: string }

type SingleTarget = Extract<RedisTarget, { mode: 'single' }>

/**
 * Connects once, within 3 s, and looks at the kind and the version of the server. Servers behind Sentinels and nodes of a Cluster are not checked.
 * @throws REDIS_CONFIG when the settings are not valid
 */
export async function checkRedis(config: Omit<RedisConfig, 'name'>, setting: string): Promise<RedisState> {
  const target = toTarget({ ...config, name: 'check' })
  if (target.mode !== 'single') return { kind: 'ok' }
  const place = 'path' in target ? `the socket ${target.path}` : `${target.host}:${target.port}`
  const client = new Redis({
    ...target.credentials,
    ...('path' in target ? { path: target.path } : { host: target.host, port: target.port }),
    db: target.db,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    // By default ioredis keeps the process of a failed check alive for another 2 s.
    disconnectTimeout: 0,
  })
  let first: Error | undefined
  client.on('error', (error: Error) => {
    first ??= error
  })
  try {
    await client.connect()
    const info = await client.info('server')
    // ioredis reports a refused password or database here and goes on.
    return first === undefined ? judgeServer(info, { setting, place }) : explain(first, { setting, place, target })
  } catch (error) {
    return explain(first ?? (error as Error), { setting, place, target })
  } finally {
    client.disconnect()
  }
}

/**
 * For the start of a service. A server that cannot be reached is no error, since it may still be starting: one log line says so.
 * @throws REDIS_CONFIG with the remedy when a server answers that cannot be used: another program, a wrong password, an old version
 */
export async function requireUsableRedis(
  config: Omit<RedisConfig, 'name'>,
  setting: string,
  logger: Logger,
): Promise<void> {
  const state = await checkRedis(config, setting)
  if (state.kind === 'wrong') throw redisErrors.REDIS_CONFIG({ message: state.problem })
  if (state.kind === 'unreachable')
    logger.warn('redis cannot be reached; it is tried again until it can', { reason: state.problem })
}

interface Place {
  readonly setting: string
  readonly place: string
}

function judgeServer(info: string, { setting, place }: Place): RedisState {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  const wrong = (problem: string): RedisState => ({ kind: 'wrong', problem })
  const version = field('redis_version')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (version !== '' && (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])))
    return wrong(
      `Redis at ${place} (${setting}) is version ${version}: Millrace needs ${VERSION_MIN.join('.')} or newer`,
    )
  if (field('redis_mode') === 'sentinel')
    return wrong(
      `${setting} names ${place}, which is a Sentinel: put it into REDIS_SENTINEL_HOSTS, and set REDIS_MASTER_NAME`,
    )
  return { kind: 'ok' }
}

function explain(error: Error, { setting, place, target }: Place & { target: SingleTarget }): RedisState {
  const { code = '' } = error as NodeJS.ErrnoException
  const text = error.message
  const wrong = (problem: string): RedisState => ({ kind: 'wrong', problem })
  const unreachable = (problem: string): RedisState => ({ kind: 'unreachable', problem })
  const names = `${setting} names ${place}`
  if (code === 'ECONNREFUSED' || code === 'ENOENT')
    return unreachable(`${names}, where nothing listens: start Redis, or correct the host and the port`)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return unreachable(`${names}, and there is no host of this name: correct the host`)
  if (/^(WRONGPASS|NOAUTH|ERR .*(AUTH|password))/.test(text))
    return wrong(`Redis at ${place} refuses the user or the password of ${setting}: correct them`)
  if (/DB index is out of range/.test(text))
    return wrong(`Redis at ${place} has no database ${target.db}: correct the number at the end of ${setting}`)
  if (/^NOPERM/.test(text)) return { kind: 'ok' }
  if (/^(LOADING|MASTERDOWN)/.test(text))
    return unreachable(`Redis at ${place} (${setting}) is still starting: ${text}`)
  if (
    target.credentials.tls !== undefined &&
    (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || /certificate|disconnected before secure/.test(text))
  )
    return wrong(
      `${names}, and TLS with it fails (${text}): correct the certificate, or use redis:// for a server without TLS`,
    )
  if (/Protocol error|Unknown RESP type|unknown command/i.test(text) || /Connection is closed/i.test(text))
    return wrong(
      `${names}, where a program other than Redis answers: correct the host and the port, or use rediss:// for a server with TLS`,
    )
  if (/timed? ?out|ETIMEDOUT/i.test(`${code} ${text}`)) {
    const hint = target.credentials.tls === undefined ? '' : ', or use redis:// for a server without TLS'
    return unreachable(
      `${names}, which gives no answer within ${TIMEOUT_MS / 1000} s: check the server and the network${hint}`,
    )
  }
  return unreachable(`${names}, which cannot be reached: ${text}`)
}
