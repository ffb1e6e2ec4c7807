import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  blocksFor,
  candidates,
  createBatchWriter,
  createChunkBuilder,
  createFilter,
  createWordMatcher,
  defineSchema,
  hashId,
  mayHave,
  openChunk,
  rangeOfToken,
  readBatch,
  transposeFilters,
  wordsOf,
} from '../src/index.js'

const schema = defineSchema({ text: { type: 'text', optional: true } })
const required = defineSchema({ text: { type: 'text' } })

/** Pieces that are hard for one of the two: signs between words, digits, NUL, other scripts, marks, letters whose case depends on their place. */
const pieces = fc.constantFrom(
  ...[
    'order',
    'Order',
    'ORDER',
    'a1',
    '17',
    '_',
    ' ',
    '-',
    '.',
    ':',
    '\0',
    '\n',
    '€',
    '—',
    'ü',
    'Ü',
    'ß',
    'SS',
    'ſ',
    'İ',
    'i',
    'I',
    'ı',
  ],
  ...[
    'Σ',
    'σ',
    'ς',
    'ΟΔΟΣ',
    'K',
    'k',
    '注文',
    '٣',
    '\u0301',
    'e',
    'é',
    '\u0338',
    '=',
    '🚚',
    'ﬁ',
    'fi',
    '\ud800',
    'ǅ',
    'x7fffe',
  ],
)
const anyText = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''))

describe('words and token filters', () => {
  it.each([true, false])(
    'find the same texts as comparing the words of each text one by one (optional column: %s)',
    (isOptional) => {
      const value = isOptional ? fc.option(anyText, { nil: null }) : anyText
      fc.assert(
        fc.property(
          fc.array(value, { minLength: 1, maxLength: 30 }),
          fc.array(anyText, { minLength: 1, maxLength: 5 }),
          (texts, queries) => {
            const { column, tokens } = chunkOf(texts, isOptional)
            const filter = createFilter(tokens, blocksFor(tokens.length))
            const own = texts.flatMap((text) => (text === null ? [] : wordsOf(text)))
            for (const query of [...queries, ...own]) {
              const matcher = createWordMatcher(query)
              const wanted = wordsOf(query)
              const expected = texts.map((text) => hasWords(asStored(text), wanted))
              expect([...matcher.rows(column)].map(Boolean)).toEqual(expected)
              if (expected.includes(true)) expect(matcher.tokens.every((token) => mayHave(filter, token))).toBe(true)
            }
          },
        ),
        { numRuns: 300 },
      )
    },
  )

  it.each([
    ['MÜLLER', 'herr müller zahlt'],
    ['straße', 'DIE STRASSE'],
    ['οδος', 'ΟΔΟΣ.α'],
    ['u\u0308ber', 'über'],
    ['kelvin', '\u212aelvin'],
  ])('find %s in "%s" whatever the case', (query, text) => {
    expect([...createWordMatcher(query).rows(chunkOf([text, 'nothing'], false).column)]).toEqual([1, 0])
  })

  it('find nothing for a text without words', () => {
    expect([...createWordMatcher(' — ').rows(chunkOf(['a — b'], false).column)]).toEqual([0])
  })

  it('find an id by its digits', () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    expect(hashId(Buffer.from(trace, 'hex'), 0, 16)).toBe(createWordMatcher(trace.toUpperCase()).tokens[0])
  })
})

describe('group of token filters', () => {
  it('names the same filters as asking each of them', () => {
    const tokenLists = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(tokenLists, fc.integer({ min: 1, max: 9 }), (lists, blocks) => {
        const filters = lists.map((list) => createFilter(Uint32Array.from(list, spread), blocks))
        const group = transposeFilters(filters)
        for (let byte = 0; byte < 256; byte++) {
          const token = spread(byte)
          const { start, length } = rangeOfToken({ filters: filters.length, blocks }, token)
          const found = candidates({ filters: filters.length }, group.subarray(start, start + length), token)
          expect(found).toEqual([...filters.keys()].filter((index) => mayHave(filters[index] as Buffer, token)))
        }
      }),
      { numRuns: 40 },
    )
  })

  it('holds each token that was added, and at most 1 % of others at 12 bits a token', () => {
    const tokens = Uint32Array.from({ length: 20_000 }, (_, index) => spread(index))
    const filter = createFilter(tokens, blocksFor(tokens.length))
    expect(filter.length).toBe(Math.ceil((20_000 * 12) / 256) * 32)
    expect(tokens.every((token) => mayHave(filter, token))).toBe(true)
    const others = Array.from({ length: 100_000 }, (_, index) => spread(index + 20_000))
    expect(others.filter((token) => mayHave(filter, token)).length).toBeLessThan(1000)
  })

  it('refuses filters of different lengths', () => {
    const filters = [1, 2].map((blocks) => createFilter(Uint32Array.of(1), blocks))
    expect(() => transposeFilters(filters)).toThrow(RangeError)
  })
})

function chunkOf(texts: readonly (string | null)[], isOptional: boolean) {
  const used = (isOptional ? schema : required) as typeof schema
  const writer = createBatchWriter(used)
  for (const text of texts) writer.appendRow({ text })
  const builder = createChunkBuilder(used, { tokensOf: ['text'] })
  builder.add(readBatch(used, writer.finish()))
  const [chunk] = builder.finish()
  if (chunk === undefined) throw new Error('there is no chunk')
  const segments = Object.fromEntries(chunk.segments.map(({ name, bytes }) => [name, bytes]))
  return { column: openChunk(used, chunk.head, segments).column('text'), tokens: chunk.tokens }
}

function hasWords(text: string | null, wanted: readonly string[]): boolean {
  if (text === null || wanted.length === 0) return false
  const words = new Set(wordsOf(text))
  return wanted.every((word) => words.has(word))
}

/** Lone surrogates become U+FFFD when they are stored. */
function asStored(text: string | null): string | null {
  return text === null ? null : Buffer.from(text).toString()
}

/** A 32-bit number that looks random, another one for each argument. */
function spread(index: number): number {
  let value = Math.imul(index + 1, 0x9e3779b1)
  value = Math.imul(value ^ (value >>> 15), 0x85ebca6b)
  return (value ^ (value >>> 13)) >>> 0
}
