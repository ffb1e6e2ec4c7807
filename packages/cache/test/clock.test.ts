import { describe, expect, it } from '@jest/globals'
import { systemClock } from '../src/clock.js'

describe('the clock of the system', () => {
  it('waits the whole delay, even if it is too long for one timer', async () => {
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
