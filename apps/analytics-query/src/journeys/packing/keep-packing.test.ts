import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from '@jest/globals'
import { openTestLifecycle } from '@millrace/service/testing'
import { CutWishes } from '../cut-wishes.js'
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

  it('begins at once when something is asked for that is not packed, and not in the name of the question', async () => {
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

describe('what is asked of packed days', () => {
  it('is told when it is new, reaches further back, or was told an hour ago', () => {
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

  it('takes no more memory the longer nobody takes it', () => {
    const wishes = new CutWishes(() => 0)
    for (let number = 0; number < 5_000; number++)
      wishes.note({ tenantId: 1, event: `Event ${number}`, cut: '{}', fromDay: '2026-11-20' })
    expect(wishes.take()).toHaveLength(1_000)
    wishes.note({ tenantId: 1, event: 'Event 4999', cut: '{}', fromDay: '2026-11-20' })
    expect(wishes.take()).toHaveLength(1)
  })

  it('is told again when it could not be kept', () => {
    const wishes = new CutWishes(() => 0)
    wishes.note({ tenantId: 1, event: 'View', cut: '{}', fromDay: '2026-11-20' })
    const taken = wishes.take()
    wishes.giveBack(taken)
    expect(wishes.take()).toEqual(taken)
  })
})
