import { describe, expect, it } from '@jest/globals'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import fc from 'fast-check'
import { bindCursor, decodePosition, encodePosition, unbindCursor } from './cursor.js'
import { type CursorValue, isShortened } from './cursor-values.js'
import { type Block, type PageRequest, takeBlockPage, takeKeysetPage } from './keyset-page.js'
import { decodePageCursor, type PageCursor } from './page-cursor.js'
import { takeRankedPage } from './ranked-page.js'
import { compareSortKeys, type SortKey } from './sort-key.js'

const QUERY = { kind: 'breakdown', event: 'View' }
const isAny = (_values: readonly CursorValue[]): _values is readonly CursorValue[] => true

/** What a client sees: the cursor goes out bound and comes back bound. */
function send(position: string): string {
  const cursor = bindCursor(position, QUERY)
  expect(cursor.length).toBeLessThanOrEqual(CURSOR_LENGTH_MAX)
  expect(cursor).toMatch(/^[\w-]*$/)
  return unbindCursor(cursor, QUERY)
}

const anyText = fc.string({ unit: 'binary', maxLength: 40 })
/** Texts that begin alike, with characters of one to four bytes, and longer than any cursor. */
const longText = fc
  .tuple(fc.constantFrom('a', 'é', '\u{fffd}', '\u{feff}', '\u{1f600}', '\u0001'), fc.nat(5_000), anyText)
  .map(([character, times, end]) => character.repeat(times) + end)
const text = fc.oneof(anyText, longText)
const value = fc.oneof(text, fc.constant(null), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))

describe('a cursor', () => {
  it('holds its values exactly when they fit, whatever characters they have', () => {
    const values = fc.array(fc.oneof(fc.string({ unit: 'binary', maxLength: 150 }), value), { maxLength: 4 })
    fc.assert(
      fc.property(values, (some) => {
        const decoded = decodePosition(send(encodePosition(some)), isAny) ?? []
        expect(decoded).toHaveLength(some.length)
        for (const [index, one] of decoded.entries()) if (!isShortened(one)) expect(one).toBe(some[index])
        if (some.every((one) => typeof one !== 'string' || Buffer.byteLength(one) < 700))
          expect(decoded.some(isShortened)).toBe(false)
      }),
    )
  })

  it('is accepted for the query that it was issued for, and for no other', () => {
    const cursor = bindCursor(encodePosition([1, 'a']), QUERY)
    expect(unbindCursor(cursor, { ...QUERY })).toBe(encodePosition([1, 'a']))
    expect(() => unbindCursor(cursor, { ...QUERY, event: 'Buy' })).toThrow('was not issued for this request')
    expect(bindCursor('', QUERY)).toBe('')
    expect(unbindCursor('', QUERY)).toBe('')
  })

  it('is refused as INVALID_CURSOR when it was made up, whatever it holds', () => {
    const forged = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.uint8Array().map((b) => Buffer.from(b).toString('base64url')),
    )
    fc.assert(
      fc.property(forged, fc.boolean(), (position, isRanked) => {
        try {
          decodePageCursor(position, { isRanked })
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_CURSOR' })
        }
      }),
      { numRuns: 1000 },
    )
    for (const values of [['x'], [0.5], [2 ** 60], [1, 1, new Uint8Array(6)]])
      expect(() => decodePageCursor(encodePosition(values))).toThrow('was not issued for this request')
    for (const values of [
      [1, 1],
      [1, 2, new Uint8Array(6)],
      [1, 0, new Uint8Array()],
      [1, 1, new Uint8Array(6), 1],
    ])
      expect(() => decodePageCursor(encodePosition(values), { isRanked: true })).toThrow('was not issued')
  })
})

interface Item {
  readonly key: SortKey
}

/** All pages one after the other, through cursors as clients have them. */
function walk(items: readonly Item[], limit: number): Item[] {
  const seen: Item[] = []
  let cursor: PageCursor | null = null
  do {
    const request: PageRequest<Item> = { cursor, limit, toMs: 1, keyOf: ({ key: own }) => own }
    const { page, nextCursor } = takeKeysetPage(items, request)
    seen.push(...page)
    cursor = decodePageCursor(send(nextCursor))
  } while (cursor !== null)
  return seen
}

/** Different keys of one length, as those of one list are. */
const keys = fc.integer({ min: 1, max: 4 }).chain((length) => {
  const key = fc.array(value, { minLength: length, maxLength: length })
  return fc.uniqueArray(key, { selector: (one) => JSON.stringify(one), maxLength: 12 })
})

describe('a keyset page', () => {
  it('continues exactly after the last row of the page before, however long its key is', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 5 }), (some, limit) => {
        const items = some.map((own) => ({ key: own }))
        const sorted = [...items].sort((a, b) => compareSortKeys(a.key, b.key))
        expect(walk(items, limit)).toEqual(sorted)
      }),
      { numRuns: 300 },
    )
  })

  it('is refused as CURSOR_OUTDATED when its last row is gone and its key did not fit into the cursor', () => {
    const items = ['a', 'b'].map((end) => ({ key: [`${'x'.repeat(9_000)}${end}`] }))
    const request = { limit: 1, toMs: 1, keyOf: ({ key: own }: Item) => own }
    const cursor = decodePageCursor(takeKeysetPage(items, { ...request, cursor: null }).nextCursor)
    expect(takeKeysetPage(items, { ...request, cursor }).page).toEqual(items.slice(1))
    expect(() => takeKeysetPage(items.slice(1), { ...request, cursor })).toThrow(
      'the last row of the page before is gone',
    )
  })
})

describe('a page of blocks', () => {
  interface BlockItem extends Item {
    readonly place: number
  }
  const rules = { toMs: 1, keyOf: ({ key: own, place }: BlockItem) => [...own, place] }

  it('is the page of all items, in whatever order the blocks come', async () => {
    const ownKey = fc.tuple(
      fc.integer({ min: 0, max: 3 }),
      fc.option(fc.oneof(text, fc.constantFrom('a', 'b', '10', '9'))),
    )
    const block = fc.record({ key: ownKey, length: fc.integer({ min: 1, max: 5 }) })
    const blocks = fc.uniqueArray(block, { selector: ({ key: own }) => JSON.stringify(own), maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(blocks, fc.integer({ min: 1, max: 7 }), async (some, limit) => {
        const itemsOf = ({ key: own, length }: (typeof some)[number]): BlockItem[] =>
          Array.from({ length }, (_, place) => ({ key: own, place }))
        let cursor: PageCursor | null = null
        do {
          const request: PageRequest<BlockItem> = { ...rules, limit, cursor }
          const made = some.map((one) => ({ key: one.key, items: () => itemsOf(one) }))
          const page = await takeBlockPage(made, request)
          expect(page).toEqual(takeKeysetPage(some.flatMap(itemsOf), request))
          cursor = decodePageCursor(send(page.nextCursor))
        } while (cursor !== null)
      }),
      { numRuns: 100, seed: 4 },
    )
  })

  it('makes the items of the blocks that it shows, and not those of thousands of others', async () => {
    let made = 0
    const blocks = Array.from({ length: 5_000 }, (_, index): Block<BlockItem> => {
      const own = [(index * 7_919) % 5_000]
      return {
        key: own,
        items: () => {
          made++
          return [0, 1].map((place) => ({ key: own, place }))
        },
      }
    })
    const { page } = await takeBlockPage(blocks, { ...rules, limit: 5, cursor: null })
    expect(page.map(({ key: own }) => own[0])).toEqual([0, 0, 1, 1, 2])
    expect(made).toBe(3)
  })
})

interface Group {
  readonly name: string
  readonly value: number
}

const greatestFirst = ([a, one]: SortKey, [b, other]: SortKey) =>
  Number(b) - Number(a) || (String(one) < String(other) ? -1 : 1)

/** All pages of a ranking; `meanwhile` changes it between two pages. */
function walkRanking(groups: Map<string, Group>, limit: number, meanwhile: (page: number) => void): string[] {
  const seen: string[] = []
  let cursor: PageCursor | null = null
  for (let number = 0; ; number++) {
    const answer: { page: Group[]; nextCursor: string } = takeRankedPage<Group>(groups.values(), {
      cursor,
      limit,
      toMs: 1,
      keyOf: ({ value: own, name }) => [own, name],
      nameOf: ({ name }) => name,
      compare: greatestFirst,
    })
    seen.push(...answer.page.map(({ name }) => name))
    if (answer.nextCursor === '') return seen
    cursor = decodePageCursor(send(answer.nextCursor), { isRanked: true })
    meanwhile(number)
  }
}

const toGroups = (values: readonly number[]) =>
  new Map(values.map((own, index) => [`g${index}`, { name: `g${index}`, value: own }]))

describe('a page of a ranking', () => {
  it('shows every group that is present throughout once, whichever groups rise, sink or come in between', () => {
    const changes = fc.array(fc.tuple(fc.nat(30), fc.integer({ min: -20, max: 20 })), { maxLength: 6 })
    const ranking = fc.record({
      values: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 25 }),
      limit: fc.integer({ min: 1, max: 7 }),
      turns: fc.array(changes, { maxLength: 12 }),
    })
    fc.assert(
      fc.property(ranking, ({ values, limit, turns }) => {
        const groups = toGroups(values)
        const seen = walkRanking(groups, limit, (page) => {
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

  it('beyond 500 groups shows each group once, or says CURSOR_OUTDATED when others have come among those shown', () => {
    const values = Array.from({ length: 1700 }, (_, index) => 5000 - index)
    const all = values.map((_, index) => `g${index}`)
    for (const limit of [1, 300]) {
      const first = limit === 1 ? values.slice(0, 505) : values
      expect(walkRanking(toGroups(first), limit, () => undefined)).toEqual(all.slice(0, first.length))
    }
    const walkWhileRises = (name: string) => {
      const groups = toGroups(values)
      return walkRanking(groups, 300, (page) => {
        if (page === 2) groups.set(name, { name, value: 9000 })
      })
    }
    expect(walkWhileRises('g5')).toEqual(all)
    expect(() => walkWhileRises('g1600')).toThrow('groups have changed places since the page before')
  })
})
