import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { keepPacking } from './keep-packing.js'

describe('packing in the background', () => {
  it('goes on after a failure, and stops only when what is under way has ended', async () => {
    const outcomes = [() => Promise.resolve(2), () => Promise.reject(new Error('away')), () => Promise.resolve(1)]
    const packed: number[] = []
    let isStopped = false
    let isHeld = (): void => undefined
    const held = new Promise<void>((resolve) => {
      isHeld = resolve
    })
    let letGo = (_days: number): void => undefined
    const packer = {
      pack: () =>
        outcomes.shift()?.() ??
        new Promise<number>((resolve) => {
          letGo = resolve
          isHeld()
        }),
      stop: () => {
        isStopped = true
      },
    }
    const stop = keepPacking({ intervalMs: 1 }, { packer, logger: silentLogger, onPacked: (days) => packed.push(days) })
    await held
    expect(packed).toEqual([2, 1])
    const stopped = stop()
    expect(isStopped).toBe(true)
    letGo(5)
    await stopped
    expect(packed).toEqual([2, 1, 5])
  })
})
