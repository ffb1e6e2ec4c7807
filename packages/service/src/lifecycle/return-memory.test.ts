import { describe, expect, it } from '@jest/globals'
import { createReturnMemory } from './return-memory.js'

const MIB = 1024 * 1024

/** A process whose young generation shrinks to `shrinksTo` at each collection. */
function createProcess({ busyShare = 0, youngMib = 32, shrinksTo = 1 }) {
  const state = { busyShare, youngMib, shrinksTo, collections: 0 }
  const returnMemory = createReturnMemory({
    busyShare: () => state.busyShare,
    youngBytes: () => state.youngMib * MIB,
    collect: () => {
      state.collections++
      state.youngMib = state.shrinksTo
    },
  })
  const call = (times: number) => {
    for (let i = 0; i < times; i++) returnMemory()
    return state.collections
  }
  return { state, call }
}

describe('the memory of an idle service', () => {
  it('is given back by one full collection, and by another one when the young generation has grown again', () => {
    const { state, call } = createProcess({})
    expect(call(100)).toBe(1)
    state.youngMib = 32
    expect(call(100)).toBe(2)
  })

  it('is left alone while the event loop is busy, so that no request waits for a full collection', () => {
    const { state, call } = createProcess({ busyShare: 0.5 })
    expect(call(100)).toBe(0)
    state.busyShare = 0.02
    expect(call(1)).toBe(1)
  })

  it('is left alone while the young generation is small', () => {
    expect(createProcess({ youngMib: 8 }).call(100)).toBe(0)
  })

  it('costs less and less collections when they have no effect, and gets a new one soon after one that had', () => {
    const { state, call } = createProcess({ shrinksTo: 32 })
    expect(call(1)).toBe(1)
    expect(call(2)).toBe(2)
    expect(call(1000)).toBeLessThan(25)
    state.shrinksTo = 1
    call(100)
    const before = state.collections
    state.youngMib = 32
    expect(call(1)).toBe(before + 1)
  })
})
