import { readFileSync } from 'node:fs'
import TestSequencer from '@jest/test-sequencer'

/** Functions that start servers or services for one test file; such a file takes a minute or more and waits most of the time. */
const STARTS_SERVERS =
  /\b(startTest(Stack|Kafka|KafkaCluster|PostgresServer|RedisServer|Replica|S3|Sentinel)|start(Kafka|Postgres|OutageStack|Stack)|spawnService)\b/

/**
 * Begins with the test files that start servers of their own, so that no worker is left alone with one of them at the end. Within both groups the order is that
 * of Jest: the longest one of earlier runs first, and the largest file first in a new clone, which knows no earlier run.
 */
export default class LongestFirstSequencer extends TestSequencer {
  sort(tests) {
    const isLong = new Map(
      tests.map(({ path }) => [path, path.includes('/e2e/') || STARTS_SERVERS.test(readFileSync(path, 'utf8'))]),
    )
    return super.sort(tests).sort((a, b) => Number(isLong.get(b.path)) - Number(isLong.get(a.path)))
  }
}
