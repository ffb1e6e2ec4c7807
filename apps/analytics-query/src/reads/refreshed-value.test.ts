import { describe, expect, it } from '@jest/globals'
import { RefreshedValue } from './refreshed-value.js'

/** A value that counts its loads, each of which ends when the test says so. */
function open() {
  const clock = { ms: 0 }
  const loads: { resolve: (value: number) => void; reject: (error: Error) => void }[] = []
  const load = () => new Promise<number>((resolve, reject) => loads.push({ resolve, reject }))
  const refreshed = new RefreshedValue({ freshMs: 60, usableMs: 600 }, load, () => clock.ms)
  return { clock, loads, refreshed }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('a refreshed value', () => {
  it('is loaded once for all first callers', async () => {
    const { loads, refreshed } = open()
    const asked = [refreshed.get(), refreshed.get()]
    expect(refreshed.last).toBeUndefined()
    loads[0]?.resolve(1)
    expect(await Promise.all(asked)).toEqual([1, 1])
    expect(loads).toHaveLength(1)
  })

  it('is returned at once when it is old, and loaded again in the background', async () => {
    const { clock, loads, refreshed } = open()
    const first = refreshed.get()
    loads[0]?.resolve(1)
    await first
    clock.ms = 60
    expect(await refreshed.get()).toBe(1)
    expect(await refreshed.get()).toBe(1)
    expect(loads).toHaveLength(2)
    loads[1]?.resolve(2)
    await settle()
    expect(await refreshed.get()).toBe(2)
  })

  it('stays in use for its maximum age when loading it again fails', async () => {
    const { clock, loads, refreshed } = open()
    const first = refreshed.get()
    loads[0]?.resolve(1)
    await first
    clock.ms = 599
    expect(await refreshed.get()).toBe(1)
    loads[1]?.reject(new Error('down'))
    await settle()
    clock.ms = 600
    const late = refreshed.get()
    loads[2]?.reject(new Error('still down'))
    await expect(late).rejects.toThrow('still down')
    expect(refreshed.last).toBe(1)
  })
})
