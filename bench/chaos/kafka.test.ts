import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Stack, waitFor } from '@millrace/local-stack'
import { findTestKafka, hold, startTestStack } from '@millrace/testing'
import { type ProxiedStream, startProxiedStream } from '../lib/proxied-stream.js'
import { ChaosRun, whyInconclusive } from './chaos-run.js'
import { chaosStackOptions, SHORT_LOAD } from './chaos-stack.js'
import { runCrashMatrix, runUntilConclusive } from './crash-matrix.js'
import { cutOutage, frozenOutage, type Outage, runOutage } from './outages.js'
import { declareStreamFaultTests } from './stream-fault-tests.js'

/*
 * The short form of `npm run chaos -- --stream kafka`: one broker behind a proxy, one round per process and a few seconds of outage. The tests build on
 * each other: each of them checks everything that was sent since the start.
 */

const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31)
const OUTAGE_MS = 4_000

const describeWithKafka =
  typeof findTestKafka('a stack over Kafka whose processes are killed and frozen') === 'string'
    ? describe.skip
    : describe

describeWithKafka('a stack over Kafka under load with two consumers', () => {
  let broker: ProxiedStream
  let stopBroker: () => Promise<void>
  let stack: Stack
  let run: ChaosRun
  /** Frames that went to the spool so far. */
  let spooled = 0

  beforeAll(async () => {
    const say = (line: string) => void process.stderr.write(`chaos over Kafka: ${line}\n`)
    broker = await startProxiedStream('kafka', say)
    stopBroker = hold('a broker behind a proxy', broker.stop)
    const options = chaosStackOptions({ spoolBytesMax: 8 * 1024 ** 2 })
    stack = await startTestStack({ ...options, env: { ...options.env, ...broker.env } })
    say(`seed ${SEED}; CHAOS_SEED=${SEED} repeats the choice of moments and victims`)
    run = new ChaosRun({ stack, stream: broker.supervised, seed: SEED, say, load: SHORT_LOAD })
  })

  afterAll(async () => {
    await stack?.stop()
    await stopBroker?.()
  })

  test("every acknowledged event is stored once and in its user's order, and the ledger balances, whichever process of a stack over Kafka is killed", async () => {
    await runCrashMatrix(run, { rounds: 1 })
    await runUntilConclusive(run)
    const verdict = await run.verify()
    run.say(`provoked ${JSON.stringify(verdict.provoked)}; ledger ${JSON.stringify(verdict.ledger)}`)
    expect(verdict.faults).toEqual([])
    expect(verdict.events.acknowledged).toBeGreaterThan(0)
    expect(whyInconclusive(verdict.provoked)).toBeUndefined()
    spooled = verdict.provoked.framesSpooled
  }, 900_000)

  /** The outage, begun when every consumer has noticed it. */
  const untilNotReady = ({ begin, ...outage }: Outage): Outage => ({
    ...outage,
    begin: async () => {
      await begin()
      const consumers = stack.services.filter(({ instance }) => instance.entry.name === 'stream-consumer')
      for (const { server } of consumers) {
        const isNotReady = async () => (await fetch(`${server.adminUrl}/ready`)).status === 503
        await waitFor(isNotReady, { deadlineMs: 60_000, what: `${server.name} that is not ready` })
      }
    },
  })
  const outages: [string, () => Outage][] = [
    ['is frozen', () => frozenOutage(broker.supervised.server)],
    ['gets requests whose answers are lost', () => cutOutage('the broker', broker.proxy, 'answers')],
  ]
  test.each(outages)(
    'while the broker %s, consumers are not ready, the gateway acknowledges events into its spool, reads answer 200 or 503 with Retry-After, and no event is lost',
    async (_, outage) => {
      const before = spooled
      const report = await runOutage(run, untilNotReady(outage()), OUTAGE_MS)
      for (const batches of report.acknowledged) expect(batches).toBeGreaterThan(0)
      expect(Object.keys(report.reads).filter((answer) => answer !== '200' && answer !== '503')).toEqual([])
      const { faults, provoked } = await run.verify()
      expect(faults).toEqual([])
      expect(provoked.framesSpooled).toBeGreaterThan(before)
      spooled = provoked.framesSpooled
    },
  )

  declareStreamFaultTests({ server: 'the broker', claim: 'session at the broker' }, () => run)
})
