import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { KafkaCluster, Stack } from '@millrace/local-stack'
import { findTestKafka, startTestKafkaCluster, startTestStack } from '@millrace/testing'
import { type BrokerReport, clusterScenarios, whyClusterInconclusive } from './broker-cluster.js'
import { watchBrokers } from './broker-watch.js'
import { ChaosRun } from './chaos-run.js'
import { clusterStackOptions, SHORT_LOAD } from './chaos-stack.js'

/*
 * The short form of `npm run chaos -- --stream kafka --only cluster`, which kills every broker in turn, and also freezes, restarts and replaces brokers.
 * Here one broker is killed, and the active controller, which is a broker as well.
 */

const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31)
const ALL_FROZEN_MS = 6_000

const describeWithKafka =
  typeof findTestKafka('a stack over three brokers that are killed, frozen and replaced') === 'string'
    ? describe.skip
    : describe

describeWithKafka('a stack over three brokers, with each frame on all of them and an acknowledgement by two', () => {
  let brokers: KafkaCluster
  let stack: Stack
  let run: ChaosRun
  const reports: BrokerReport[] = []

  beforeAll(async () => {
    const say = (line: string) => void process.stderr.write(`three brokers: ${line}\n`)
    brokers = await startTestKafkaCluster()
    stack = await startTestStack(clusterStackOptions(brokers))
    say(`seed ${SEED}; CHAOS_SEED=${SEED} repeats the choice of brokers`)
    run = new ChaosRun({ stack, seed: SEED, say, load: SHORT_LOAD })
  })

  afterAll(async () => {
    await stack?.stop()
    await brokers?.stop()
  })

  const scenarios = clusterScenarios({ brokersInTurn: 1, controllerMoves: 1, allFrozenMs: ALL_FROZEN_MS })
  test.each(scenarios.filter(({ isShort }) => isShort))(
    'goes on acknowledging, loses no acknowledged event and stores none twice while $name',
    async (scenario) => {
      const effects = await scenario.run({ run, cluster: brokers, watch: watchBrokers(brokers) })
      reports.push({ name: scenario.name, ...effects })
      expect((await run.verify()).faults).toEqual([])
    },
    600_000,
  )

  test('has lost leaders, sent frames again and dropped repeated frames, so that the tests above prove something', async () => {
    const { provoked } = await run.verify()
    run.say(`provoked ${JSON.stringify({ ...provoked, reports })}`)
    expect(whyClusterInconclusive(reports, provoked)).toBeUndefined()
  })
})
