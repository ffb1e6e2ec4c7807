import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodePageCursor, takePage } from './page.js'
import { type Block, takeBlocks } from './page-blocks.js'

interface Item {
  readonly key: readonly (string | number | null)[]
  readonly place: number
}

const rules = { kind: 'funnel', toMs: 1, keyOf: ({ key, place }: Item) => [...key, place] }

describe('pages of blocks', () => {
  it('are the pages of all items, in any order of the blocks', async () => {
    const key = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.option(fc.constantFrom('a', 'b', 'ä', '10', '9')))
    const block = fc.record({ key, length: fc.integer({ min: 1, max: 5 }) })
    const blocks = fc.uniqueArray(block, { selector: ({ key: [one, two] }) => `${one} ${two}`, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(blocks, fc.integer({ min: 1, max: 7 }), async (some, limit) => {
        const itemsOf = ({ key: own, length }: (typeof some)[number]): Item[] =>
          Array.from({ length }, (_, place) => ({ key: own, place }))
        let cursor = ''
        do {
          const request = { ...rules, limit, cursor: decodePageCursor(cursor, 'funnel') }
          const page = await takeBlocks(
            some.map((one) => ({ key: one.key, items: () => itemsOf(one) })),
            request,
          )
          expect(page).toEqual(takePage(some.flatMap(itemsOf), request))
          cursor = page.nextCursor
        } while (cursor !== '')
      }),
      { numRuns: 100, seed: 4 },
    )
  })

  it('make the items that they show, and not those of thousands of other blocks', async () => {
    let made = 0
    const blocks = Array.from({ length: 5_000 }, (_, index): Block<Item> => {
      const key = [(index * 7_919) % 5_000]
      return {
        key,
        items: () => {
          made++
          return [0, 1].map((place) => ({ key, place }))
        },
      }
    })
    const { page } = await takeBlocks(blocks, { ...rules, limit: 5, cursor: null })
    expect(page.map(({ key }) => key[0])).toEqual([0, 0, 1, 1, 2])
    expect(made).toBe(3)
  })
})
