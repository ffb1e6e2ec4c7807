import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Stack } from '@millrace/local-stack'
import { startTestStack } from '@millrace/testing'
import { createRandom } from '../lib/random.js'
import { ChaosRun } from './chaos-run.js'
import { recoveryStackOptions, SHORT_LOAD } from './chaos-stack.js'
import { describeSteps, FILLED_WHILE_FROZEN, planRecovery, runRecovery } from './recovery.js'

/* The short form of `npm run chaos -- --only recovery`. */

const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31)
const RANDOM_SEQUENCES = 3

let stack: Stack
let run: ChaosRun

describe('a stack whose parts are filled, frozen and killed', () => {
  beforeAll(async () => {
    stack = await startTestStack(recoveryStackOptions())
    const say = (line: string) => void process.stderr.write(`recovery: ${line}\n`)
    say(`seed ${SEED}; CHAOS_SEED=${SEED} repeats the sequences`)
    run = new ChaosRun({ stack, seed: SEED, say, load: SHORT_LOAD })
  })

  afterAll(async () => {
    await stack?.stop()
  })

  test('stores a new event within 10 s after PostgreSQL was frozen until the stream was full, and loses nothing', async () => {
    const { rejectedFills } = await runRecovery(run, FILLED_WHILE_FROZEN)
    expect(rejectedFills).toBe(1)
    expect((await run.verify()).faults).toEqual([])
  })

  test('stores a new event within 10 s after the last repair of any sequence of faults, loses nothing and stores nothing twice', async () => {
    for (let sequence = 0; sequence < RANDOM_SEQUENCES; sequence++) await runRecovery(run, planRecovery(run.random))
    expect((await run.verify()).faults).toEqual([])
  })

  test('every planned sequence repairs only what is broken, and brings services up only while their servers work', () => {
    for (let seed = 0; seed < 500; seed++) {
      const broken = new Map<string, string>()
      for (const step of planRecovery(createRandom(seed))) {
        if (step.what === 'fill' || step.what === 'wait') continue
        const isRepair = step.what === 'resume' || step.what === 'free'
        const context = describeSteps([step])
        expect([context, broken.get(step.part)]).toEqual([
          context,
          isRepair ? (step.what === 'resume' ? 'freeze' : 'kill') : undefined,
        ])
        if (!isRepair) broken.set(step.part, step.what)
        else broken.delete(step.part)
        if (step.what === 'free' && (step.part === 'consumer' || step.part === 'gateway'))
          expect([...broken.keys()].filter((part) => part !== 'consumer' && part !== 'gateway')).toEqual([])
      }
    }
  })
})
