export { freePort, StopWaiting, type WaitOptions } from '@millrace/local-stack'
export { findChromium } from './chromium/find-chromium.js'
export { runInChromium, type TestPage } from './chromium/run-in-chromium.js'
export { findPurgeableEdge, findTestEdge, startPurgeableEdge, startTestEdge } from './edge/test-edge.js'
export { hold } from './leaks.js'
export { findLedgerFault, type LedgerEntry, readLedger, waitUntilSettled } from './ledger.js'
export { propertyRuns } from './property-runs.js'
export { takeRepeats } from './repeats.js'
export { type SpawnServiceOptions, spawnService, startTestStack } from './spawn-service.js'
export { type ProxyMode, startTcpProxy, type TcpProxy, type TcpProxyOptions } from './tcp-proxy.js'
export { createTestAuthority } from './test-authority.js'
export { createTestDatabase, type TestDatabase, type TestDatabaseOptions } from './test-database.js'
export {
  findTestKafka,
  startTestKafka,
  startTestKafkaCluster,
  type TestKafka,
  useTestKafka,
} from './test-kafka.js'
export { startTestPostgresServer } from './test-postgres.js'
export {
  createTestRedis,
  startTestRedisCluster,
  startTestRedisServer,
  startTestSentinel,
  type TestRedis,
} from './test-redis.js'
export { startTestReplica } from './test-replica.js'
export { fallbackTestS3, findTestS3, type S3Program, startTestS3, type TestS3 } from './test-s3.js'
export { waitFor } from './wait-for.js'
export { withClient } from './with-client.js'
export { within } from './within.js'
