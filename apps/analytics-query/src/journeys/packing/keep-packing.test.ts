import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from '@jest/globals'
import { openTestLifecycle } from '@millrace/service/testing'
import { CutWishes } from '../cut-wishes.js'
import { keepPacking } from './keep-packing.js'

describe('the background packing of days', () => {
  it('continues after a failure, and stops only when the day that is being packed is finished', async () => {
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
    const lifecycle = openTestLifecycle('packing')
    await keepPacking({ intervalMs: 1 }, { lifecycle, packer, onPacked: (days) => packed.push(days) })
    await held
    expect(packed).toEqual([2, 1])
    const stopped = lifecycle.stop()
    expect(isStopped).toBe(true)
    letGo(5)
    await stopped
    expect(packed).toEqual([2, 1, 5])
  })

  it('starts at once when a query requests a missing layout, outside of the context of that query', async () => {
    const wishes = new CutWishes(() => 0)
    const context = new AsyncLocalStorage<string>()
    const seen: (string | undefined)[] = []
    let isSeen = (): void => undefined
    const packer = {
      pack: () => {
        seen.push(context.getStore())
        isSeen()
        return Promise.resolve(wishes.take().length)
      },
      stop: () => undefined,
    }
    const next = () =>
      new Promise<void>((resolve) => {
        isSeen = resolve
      })
    const begun = next()
    const lifecycle = openTestLifecycle('packing')
    await keepPacking({ intervalMs: 86_400_000 }, { lifecycle, packer, wishes, onPacked: () => undefined })
    await begun
    for (const event of ['View', 'Buy']) {
      const again = next()
      context.run('a question', () => wishes.note({ tenantId: 1, event, cut: '{}', fromDay: '2026-11-21' }))
      await again
    }
    await lifecycle.stop()
    expect(seen).toEqual([undefined, undefined, undefined])
  })
})

describe('a requested layout', () => {
  it('is passed on when it is new, reaches further back, or was passed on an hour ago', () => {
    let nowMs = 0
    const wishes = new CutWishes(() => nowMs)
    const note = (fromDay: string) => {
      wishes.note({ tenantId: 1, event: 'View', cut: '{}', fromDay })
      return wishes.take().length
    }
    expect([note('2026-11-20'), note('2026-11-20'), note('2026-11-21'), note('2026-11-19')]).toEqual([1, 0, 0, 1])
    nowMs = 3_600_000
    expect([note('2026-11-20'), note('2026-11-20')]).toEqual([1, 0])
  })

  it('takes a limited amount of memory while no packer runs', () => {
    const wishes = new CutWishes(() => 0)
    for (let number = 0; number < 5_000; number++)
      wishes.note({ tenantId: 1, event: `Event ${number}`, cut: '{}', fromDay: '2026-11-20' })
    expect(wishes.take()).toHaveLength(1_000)
    wishes.note({ tenantId: 1, event: 'Event 4999', cut: '{}', fromDay: '2026-11-20' })
    expect(wishes.take()).toHaveLength(1)
  })

  it('is passed on again when it could not be stored', () => {
    const wishes = new CutWishes(() => 0)
    wishes.note({ tenantId: 1, event: 'View', cut: '{}', fromDay: '2026-11-20' })
    const taken = wishes.take()
    wishes.giveBack(taken)
    expect(wishes.take()).toEqual(taken)
  })
})
