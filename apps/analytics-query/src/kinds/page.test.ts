import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type PageCursor, type SortKey, takeRankedPage } from './page.js'

interface Group {
  readonly name: string
  readonly value: number
}

const greatestFirst = ([a, one]: SortKey, [b, other]: SortKey) =>
  Number(b) - Number(a) || (String(one) < String(other) ? -1 : 1)

/** What all pages have; `meanwhile` is what happens between two. */
function walk(groups: Map<string, Group>, limit: number, meanwhile: (page: number) => void): string[] {
  const seen: string[] = []
  let cursor: PageCursor | null = null
  for (let number = 0; ; number++) {
    const answer: { page: Group[]; nextCursor: string } = takeRankedPage<Group>(groups.values(), {
      kind: 'top',
      cursor,
      limit,
      toMs: 1,
      keyOf: ({ value, name }) => [value, name],
      nameOf: ({ name }) => name,
      compare: greatestFirst,
    })
    seen.push(...answer.page.map(({ name }) => name))
    if (answer.nextCursor === '') return seen
    cursor = JSON.parse(Buffer.from(answer.nextCursor, 'base64url').toString()) as PageCursor
    meanwhile(number)
  }
}

const toGroups = (values: readonly number[]) =>
  new Map(values.map((value, index) => [`g${index}`, { name: `g${index}`, value }]))

describe('pages of a list whose order moves', () => {
  it('have every group that was there all the time once, whatever has risen, sunk or come in between', () => {
    const changes = fc.array(fc.tuple(fc.nat(30), fc.integer({ min: -20, max: 20 })), { maxLength: 6 })
    const asked = fc.record({
      values: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 25 }),
      limit: fc.integer({ min: 1, max: 7 }),
      turns: fc.array(changes, { maxLength: 12 }),
    })
    fc.assert(
      fc.property(asked, ({ values, limit, turns }) => {
        const groups = toGroups(values)
        const seen = walk(groups, limit, (page) => {
          for (const [index, change] of turns[page] ?? []) {
            const name = `g${index}`
            groups.set(name, { name, value: (groups.get(name)?.value ?? 0) + change })
          }
        })
        expect(new Set(seen).size).toBe(seen.length)
        expect(seen).toEqual(expect.arrayContaining(values.map((_, index) => `g${index}`)))
      }),
    )
  })

  it('have each once among more groups than a cursor names, or say that those of the pages before have changed', () => {
    const values = Array.from({ length: 1700 }, (_, index) => 5000 - index)
    const still = values.map((_, index) => `g${index}`)
    expect(walk(toGroups(values), 300, () => undefined)).toEqual(still)
    const walkWhileRises = (name: string) => {
      const groups = toGroups(values)
      return walk(groups, 300, (page) => {
        if (page === 2) groups.set(name, { name, value: 9000 })
      })
    }
    expect(walkWhileRises('g5')).toEqual(still)
    expect(() => walkWhileRises('g1600')).toThrow('groups have changed places since the page before')
  })
})
