import { readFileSync } from 'node:fs'
import TestSequencer from '@jest/test-sequencer'

/** Functions that start servers or services for one test file; such a file takes a minute or more and waits most of the time. */
const STARTS_SERVERS =
  /\b(startTest(Stack|Kafka|KafkaCluster|PostgresServer|RedisServer|Replica|S3|Sentinel)|start(Kafka|Postgres|OutageStack|Stack)|spawnService)\b/

/**
 * Begins with the test files that start servers of their own, so that no worker is left alone with one of them at the end. Within both groups the order is that
 * of Jest: the longest one of earlier runs first, and the largest file first in a new clone, which knows no earlier run. The files in bench/ keep whole stacks under full
 * load, so they are spread over the first group: three of them at once leave no processor time to each other.
 */
export default class LongestFirstSequencer extends TestSequencer {
  sort(tests) {
    const long = []
    const short = []
    const loaded = []
    for (const test of super.sort(tests)) {
      const startsServers = test.path.includes('/e2e/') || STARTS_SERVERS.test(readFileSync(test.path, 'utf8'))
      if (!startsServers) short.push(test)
      else if (test.path.includes('/bench/')) loaded.push(test)
      else long.push(test)
    }
    for (const [index, test] of loaded.entries()) {
      const before = Math.floor((index * long.length) / loaded.length)
      long.splice(before, 0, test)
    }
    return [...long, ...short]
  }
}
