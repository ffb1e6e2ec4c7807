export { freePort, StopWaiting, type WaitOptions, waitFor } from '@millrace/local-stack'
export { hold } from './leaks.js'
export { takeRepeats } from './repeats.js'
export { type SpawnServiceOptions, spawnService, startTestStack } from './spawn-service.js'
export { createTestDatabase, type TestDatabase, type TestDatabaseOptions } from './test-database.js'
export { findPurgeableEdge, findTestEdge, startPurgeableEdge, startTestEdge } from './test-edge.js'
export { startTestPostgresServer } from './test-postgres.js'
export {
  createTestRedis,
  startTestRedisCluster,
  startTestRedisServer,
  startTestSentinel,
  type TestRedis,
} from './test-redis.js'
export { startTestReplica } from './test-replica.js'
