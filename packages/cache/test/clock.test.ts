import { describe, expect, it } from '@jest/globals'
import { systemClock } from '../src/clock.js'

describe('the clock of the system', () => {
  it('does not take a delay that is too long for a timer for a short one', async () => {
    let hasRun = false
    const cancel = systemClock.schedule(Number.MAX_SAFE_INTEGER, () => {
      hasRun = true
    })
    await new Promise<void>((resolve) => {
      systemClock.schedule(10, resolve)
    })
    expect(hasRun).toBe(false)
    cancel()
  })
})
