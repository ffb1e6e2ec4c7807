import { expect, test } from '@jest/globals'
import type { ChaosRun } from './chaos-run.js'
import { runFrozenConsumer } from './frozen-consumer.js'
import { runSpoolQuota } from './outages.js'

export interface StreamNames {
  /** The server of the stream in the titles, for example "Redis". */
  readonly server: string
  /** What a frozen consumer loses, for example "lease". */
  readonly claim: string
}

/** Declares the tests that are the same for every server of the stream, inside the `describe` of a stack. `getRun` is called when a test begins. */
export function declareStreamFaultTests({ server, claim }: StreamNames, getRun: () => ChaosRun): void {
  test(`while ${server} is down, the gateway spools events, answers 503 with Retry-After once the spool is full, and loses no event`, async () => {
    const run = getRun()
    const { refused, acknowledgedBefore } = await runSpoolQuota(run)
    expect(acknowledgedBefore).toBeGreaterThan(0)
    expect(refused.status).toBe(503)
    expect(refused.retryAfterSeconds).toBeGreaterThan(0)
    expect((await run.verify()).faults).toEqual([])
  })

  test(`a consumer that was frozen past its ${claim} is fenced when it continues, and no event is stored twice`, async () => {
    const run = getRun()
    const { takenOver } = await runFrozenConsumer(run)
    expect(takenOver).toBeGreaterThan(0)
    expect((await run.verify()).faults).toEqual([])
  })
}
