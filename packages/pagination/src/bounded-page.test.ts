import { describe, expect, it } from '@jest/globals'
import { BoundedPage, PAGE_BYTES_MAX } from './bounded-page.js'
import { fillPage } from './fill-page.js'

describe('a bounded page', () => {
  it('takes as many rows as its limit and says that it is full when another row comes', () => {
    const page = new BoundedPage<number>(2)
    page.add('a', 1)
    page.add('b', 2)
    expect([page.isFull, page.missing, page.last]).toEqual([false, 0, 2])
    page.add('c', 3)
    expect([page.isFull, page.texts, page.last]).toEqual([true, ['a', 'b'], 2])
  })

  it('takes a row that is larger than a page alone, and ends before the row that would make it too large', () => {
    const page = new BoundedPage<number>(10)
    page.add('x'.repeat(PAGE_BYTES_MAX + 1), 1)
    expect([page.texts.length, page.isFull, page.bytesLeft]).toEqual([1, false, 1])
    page.add('y', 2)
    expect([page.texts.length, page.isFull, page.last]).toEqual([1, true, 1])
  })

  it('takes no row after it was closed', () => {
    const page = new BoundedPage<number>(10)
    page.close()
    page.add('a', 1)
    expect([page.texts, page.isFull]).toEqual([[], true])
  })
})

describe('filling a page in steps', () => {
  it('ends when the page is full, when the list ends, and after 5 s with the step to continue with', async () => {
    const fill = (rows: number, steps: number, stepMs: number) => {
      let nowMs = 0
      const page = new BoundedPage<number>(rows)
      const read = (step: number) => {
        nowMs += stepMs
        page.add(String(step), step)
        return Promise.resolve(step + 1 < steps ? step + 1 : null)
      }
      return fillPage(page, { first: 0, read, monotonicMs: () => nowMs }).then((next) => [next, page.texts.length])
    }
    expect(await fill(3, 100, 1)).toEqual([null, 3])
    expect(await fill(10, 4, 1)).toEqual([null, 4])
    expect(await fill(10, 100, 2_000)).toEqual([3, 3])
  })
})
