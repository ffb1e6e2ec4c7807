import { checkRedis } from './check-redis.js'

// Usage: node packages/redis/dist/check-cli.js SETTING…
// Checks the Redis servers whose URLs are in the environment variables SETTING. Prints a sentence for each problem and ends with exit code 1 if there is one.

const { REDIS_CLUSTER_ENABLED = '', REDIS_SENTINEL_HOSTS = '', REDIS_MASTER_NAME } = process.env
const clusterEnabled = /^(true|1)$/.test(REDIS_CLUSTER_ENABLED)
const sentinelHosts = REDIS_SENTINEL_HOSTS.split(',').filter((item) => item.trim() !== '')
const checks = process.argv.slice(2).map((setting) => {
  const url = process.env[setting] ?? ''
  // The cache has one server, whatever the stream has.
  const more = setting === 'CACHE_REDIS_URL' ? {} : { clusterEnabled, sentinelHosts, masterName: REDIS_MASTER_NAME }
  return checkRedis({ url, ...more }, setting).then(
    (state) => (state.kind === 'ok' ? undefined : state.problem),
    (error: Error) => `${setting}: ${error.message}`,
  )
})
for (const problem of await Promise.all(checks)) {
  if (problem === undefined) continue
  process.stdout.write(`${problem}\n`)
  process.exitCode = 1
}
