import type { ClusterNode, SentinelAddress } from 'ioredis'
import { redisErrors } from './redis-errors.js'

/** Servers, credentials and limits of a connection. */
export interface RedisConfig {
  /**
   * `redis://` or `rediss://` with user, password and logical database, or `unix:///path/of/the.socket` for a server on this machine, which costs less
   * CPU than TCP. With `clusterEnabled` several addresses, separated by commas. With Sentinel only the credentials and the database are used.
   */
  readonly url: string
  /** Purpose of the connection: the label of its metrics and its name in CLIENT LIST. */
  readonly name: string
  /** `host:port` of the Sentinels (REDIS_SENTINEL_HOSTS). Default port 26379. */
  readonly sentinelHosts?: readonly string[] | undefined
  /** Name of the primary in Sentinel (REDIS_MASTER_NAME). */
  readonly masterName?: string | undefined
  readonly sentinelPassword?: string | undefined
  /** REDIS_CLUSTER_ENABLED */
  readonly clusterEnabled?: boolean | undefined
  /**
   * Time limit of a command, in ms. A connection that owes an answer for this long is replaced; an `isBlocking` one 5 s later, and its commands have time
   * limits of their own. Default 5,000.
   */
  readonly commandTimeoutMs?: number | undefined
  /** Time limit of the first connection, in ms. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** True: `openRedis` does not wait for the first connection. Default false. */
  readonly isLazy?: boolean | undefined
  /**
   * True: commands that are sent while the connection is down wait for it, for at most `commandTimeoutMs`; after that they may still be executed later.
   * Default false: they fail at once.
   */
  readonly hasOfflineQueue?: boolean | undefined
  /** For commands such as XREAD BLOCK, which wait on the server for at most 5 s. Default false. */
  readonly isBlocking?: boolean | undefined
}

/** How the servers are arranged. */
export type RedisMode = 'single' | 'sentinel' | 'cluster'

/** Servers and credentials, parsed from the configuration. */
export type RedisTarget = { readonly credentials: Credentials; readonly db: number } & (
  | { readonly mode: 'single'; readonly host: string; readonly port: number }
  | { readonly mode: 'single'; readonly path: string }
  | { readonly mode: 'sentinel'; readonly sentinels: SentinelAddress[]; readonly masterName: string }
  | { readonly mode: 'cluster'; readonly nodes: ClusterNode[] }
)

export interface Credentials {
  readonly username?: string
  readonly password?: string
  readonly tls?: Record<string, never>
}

/** Where to connect, from the settings. @throws REDIS_CONFIG with a message that never contains the password */
export function toTarget(config: RedisConfig): RedisTarget {
  if (config.url.startsWith('unix:')) return toSocket(config)
  const urls = config.url.split(',').map((part) => parseUrl(part.trim()))
  const first = urls[0] as URL
  const db = parseDatabase(first)
  const credentials = parseCredentials(first)
  const hasSentinels = config.sentinelHosts !== undefined && config.sentinelHosts.length > 0
  if (config.clusterEnabled === true) {
    if (hasSentinels) throw redisErrors.REDIS_CONFIG({ message: 'choose Redis Cluster or Sentinels, not both' })
    if (db !== 0) throw redisErrors.REDIS_CONFIG({ message: 'Redis Cluster has no logical databases except 0' })
    return { mode: 'cluster', credentials, db, nodes: urls.map(toAddress) }
  }
  if (hasSentinels) {
    if (config.masterName === undefined || config.masterName === '') {
      throw redisErrors.REDIS_CONFIG({ message: 'REDIS_SENTINEL_HOSTS needs REDIS_MASTER_NAME' })
    }
    const sentinels = (config.sentinelHosts ?? []).map((host) => toAddress(parseUrl(`redis://${host}`), 26_379))
    return { mode: 'sentinel', credentials, db, sentinels, masterName: config.masterName }
  }
  return { mode: 'single', credentials, db, ...toAddress(first) }
}

function toSocket({ url, clusterEnabled, sentinelHosts = [] }: RedisConfig): RedisTarget {
  const path = URL.canParse(url) ? decodeURIComponent(new URL(url).pathname) : ''
  if (path === '' || clusterEnabled === true || sentinelHosts.length > 0) {
    throw redisErrors.REDIS_CONFIG({
      message: 'a Redis address that begins with unix:// names the socket of one server, without Cluster or Sentinels',
    })
  }
  return { mode: 'single', credentials: {}, db: 0, path }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '') {
    throw redisErrors.REDIS_CONFIG({
      message: 'a Redis address must begin with redis:// or rediss:// and name a host, or with unix://',
    })
  }
  return url
}

function parseDatabase(url: URL): number {
  const path = url.pathname.replace(/^\//, '')
  if (!/^\d{0,6}$/.test(path))
    throw redisErrors.REDIS_CONFIG({ message: 'the path of a Redis address is the number of a database' })
  return Number(path)
}

function parseCredentials(url: URL): Credentials {
  return {
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
  }
}

function toAddress(url: URL, defaultPort = 6_379): { host: string; port: number } {
  // The square brackets of an IPv6 address belong to the URL only.
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? defaultPort : Number(url.port) }
}
