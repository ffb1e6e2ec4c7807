import { describe, expect, it } from '@jest/globals'
import { coreErrors } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { AnswerWatch } from './answer-watch.js'

const unavailable = expect.objectContaining({ code: 'DEPENDENCY_UNAVAILABLE' })

/** Waits for the condition; the time limit of the test ends a wait that is in vain. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

function open({ silentMs }: { silentMs: number }, probe: () => Promise<void>): AnswerWatch {
  const outage = (cause: unknown) => coreErrors.DEPENDENCY_UNAVAILABLE({ cause })
  return new AnswerWatch({ name: 'test', silentMs, pauseMs: 10 }, { probe, outage, logger: silentLogger })
}

describe('the watch for answers of a dependency', () => {
  it('does not probe a dependency that answers other calls', async () => {
    let probes = 0
    const watch = open({ silentMs: 50 }, async () => void probes++)
    const slow = { lose: () => undefined }
    watch.begin(slow)
    for (let i = 0; i < 20; i++) {
      const quick = { lose: () => undefined }
      watch.begin(quick)
      await new Promise((resolve) => setTimeout(resolve, 10))
      watch.end(quick, true)
    }
    const [meanwhile] = [probes]
    await until(() => probes > meanwhile)
    watch.close()
    expect(meanwhile).toBeLessThan(3)
  })

  it('fails nobody when a probe fails after another call was answered', async () => {
    let fail: (() => void) | undefined
    const watch = open(
      { silentMs: 10 },
      () => new Promise((_resolve, reject) => (fail = () => reject(new Error('late')))),
    )
    let lost = 0
    watch.begin({ lose: () => void lost++ })
    await until(() => fail !== undefined)
    const quick = { lose: () => undefined }
    watch.begin(quick)
    watch.end(quick, true)
    fail?.()
    await new Promise((resolve) => setImmediate(resolve))
    expect([watch.isUp, lost]).toEqual([true, 0])
    watch.close()
  })

  it('fails nobody when a probe fails while the process itself could not run', async () => {
    let probes = 0
    const watch = open({ silentMs: 10 }, async () => {
      probes++
      // As a garbage collection or a large answer would.
      const until = performance.now() + 1_300
      while (probes === 1 && performance.now() < until);
      throw new Error('no answer')
    })
    let lostAfterProbes = 0
    watch.begin({ lose: () => (lostAfterProbes = probes) })
    await until(() => lostAfterProbes > 0)
    watch.close()
    expect(lostAfterProbes).toBe(2)
  })

  it('fails the callers that wait and later ones at once while probes fail, and admits callers after a probe that succeeds', async () => {
    let isUp = false
    const probe = async () => {
      if (!isUp) throw new Error('no answer')
    }
    const watch = open({ silentMs: 10 }, probe)
    const lost: string[] = []
    watch.begin({ lose: ({ code }) => lost.push(code) })
    await until(() => lost.length === 1)
    expect(lost).toEqual(['DEPENDENCY_UNAVAILABLE'])
    expect(watch.isUp).toBe(false)
    expect(() => watch.begin({ lose: () => undefined })).toThrow(unavailable)
    isUp = true
    await until(() => watch.isUp)
    expect(() => watch.begin({ lose: () => undefined })).not.toThrow()
    watch.close()
  })
})
