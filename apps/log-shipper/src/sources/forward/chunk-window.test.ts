import { describe, expect, it } from '@jest/globals'
import { ChunkWindow } from './chunk-window.js'

const chunk = (name: string) => Buffer.from(name)

describe('the window of chunks', () => {
  it('takes a chunk once, also when it comes again while it is being stored', async () => {
    const window = new ChunkWindow(10)
    let taken = 0
    const take = async () => {
      taken++
    }
    const results = await Promise.all([window.once(1, chunk('a'), take), window.once(1, chunk('a'), take)])
    expect(results.map(({ isRepeated }) => isRepeated)).toEqual([false, true])
    expect((await window.once(1, chunk('a'), take)).isRepeated).toBe(true)
    expect(taken).toBe(1)
  })

  it('tells the chunks of different tenants apart', async () => {
    const window = new ChunkWindow(10)
    await window.once(1, chunk('a'), async () => {})
    expect((await window.once(2, chunk('a'), async () => {})).isRepeated).toBe(false)
  })

  it('takes a chunk again that could not be stored', async () => {
    const window = new ChunkWindow(10)
    const failed = window.once(1, chunk('a'), () => Promise.reject(new Error('full')))
    await expect(failed).rejects.toThrow('full')
    expect((await window.once(1, chunk('a'), async () => {})).isRepeated).toBe(false)
  })

  it('forgets the oldest chunk when it is full', async () => {
    const window = new ChunkWindow(2)
    for (const name of ['a', 'b', 'c']) await window.once(1, chunk(name), async () => {})
    expect((await window.once(1, chunk('c'), async () => {})).isRepeated).toBe(true)
    expect((await window.once(1, chunk('a'), async () => {})).isRepeated).toBe(false)
  })
})
