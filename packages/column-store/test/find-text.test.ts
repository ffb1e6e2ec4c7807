import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import {
  createBatchWriter,
  createChunkBuilder,
  defineSchema,
  findText,
  foldText,
  mayHaveInJson,
  openChunk,
  readBatch,
  textHas,
} from '../src/index.js'

const optional = defineSchema({ text: { type: 'text', optional: true }, json: { type: 'json', optional: true } })
const required = defineSchema({ text: { type: 'text' }, json: { type: 'json' } })

/** Pieces that are hard for one of the two ways. */
const piece = fc.constantFrom(
  ...['order', 'Order', 'ORDER', 'order41', 'x1', '17', '1', '_', ' ', ' ', '-', '.', ':', '\0', '\n', '"', '\\', '€'],
  ...[
    'ü',
    'Ü',
    'ß',
    'SS',
    'ſ',
    'İ',
    'i',
    'ı',
    'Σ',
    'σ',
    'ς',
    'K',
    'k',
    '\u0301',
    'e',
    'é',
    '\u0338',
    '=',
    '🚚',
    'ﬁ',
    'f',
  ],
)
const plainPiece = fc.constantFrom(
  'order',
  'Order',
  'order41',
  'x1',
  '1',
  '_',
  ' ',
  ' ',
  ':',
  'failed',
  'FAILED',
  '\0',
  '',
)
const text = fc.oneof(
  fc.array(plainPiece, { maxLength: 6 }).map((parts) => parts.join('')),
  fc.array(piece, { maxLength: 6 }).map((parts) => parts.join('')),
)
const form = fc.constantFrom('phrase' as const, 'prefix' as const, 'suffix' as const, 'substring' as const)

/** Texts of a chunk; with many equal ones, so that they are stored as templates. */
function columnsOf(texts: readonly (string | null)[], isOptional: boolean) {
  const schema = (isOptional ? optional : required) as typeof optional
  const writer = createBatchWriter(schema)
  for (const one of texts) writer.appendRow({ text: one, json: one === null ? null : { a: one, b: [one] } })
  const builder = createChunkBuilder(schema)
  const batch = readBatch(schema, writer.finish())
  builder.add(batch)
  const [chunk] = builder.finish()
  if (chunk === undefined) throw new Error('there is no chunk')
  const segments = Object.fromEntries(chunk.segments.map(({ name, bytes }) => [name, bytes]))
  return { stored: openChunk(schema, chunk.head, segments), batch }
}

describe('the search for a text', () => {
  it.each([true, false])(
    'finds exactly the rows whose folded text has it, in batches, templates, variables and over their borders (optional column: %s)',
    (isOptional) => {
      const value = isOptional ? fc.option(text, { nil: null }) : text
      const needle = fc.record({
        form,
        text: fc.oneof(text, fc.constantFrom('order', 'd', '1', 'r4', ': o', 'd 1', 'e')).map(foldText),
      })
      fc.assert(
        fc.property(
          fc.array(value, { minLength: 1, maxLength: 20 }),
          fc.array(needle, { minLength: 1, maxLength: 6 }),
          (texts, needles) => {
            const { stored, batch } = columnsOf(texts, isOptional)
            for (const one of needles) {
              const expected = texts.map(
                (each) => each !== null && textHas(foldText(Buffer.from(each).toString()), one),
              )
              expect([...findText(stored.column('text'), one)].map(Boolean)).toEqual(expected)
              expect([...findText(batch.column('text'), one)].map(Boolean)).toEqual(expected)
              const inJson = mayHaveInJson(stored.column('json'), one)
              for (const [row, isFound] of expected.entries()) if (isFound) expect(inJson[row]).toBe(1)
            }
          },
        ),
        { numRuns: propertyRuns(400) },
      )
    },
    60_000,
  )

  it('misses no value of JSON, whatever form its key has in the chunk, and gives every byte back afterwards', () => {
    const schema = defineSchema({ json: { type: 'json' } })
    const value = fc.oneof(
      text,
      fc.integer({ min: -200, max: 2000 }),
      fc.double({ noNaN: true }),
      fc.boolean(),
      fc.array(text),
    )
    const record = fc.dictionary(fc.constantFrom('a', 'b', 'order'), value, { maxKeys: 3 })
    const needle = fc.oneof(text, fc.constantFrom('rder', '7', '-1', 'true', '.', '1e')).map(foldText)
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 30 }),
        fc.array(needle, { minLength: 1, maxLength: 5 }),
        (records, needles) => {
          const writer = createBatchWriter(schema)
          const jsons = records.map((one) => JSON.stringify(one))
          for (const json of jsons) {
            writer.columns.json.appendString(json)
            writer.endRow()
          }
          const builder = createChunkBuilder(schema)
          builder.add(readBatch(schema, writer.finish()))
          const [chunk] = builder.finish()
          const segments = Object.fromEntries((chunk?.segments ?? []).map(({ name, bytes }) => [name, bytes]))
          const column = openChunk(schema, chunk?.head ?? Buffer.alloc(0), segments).column('json')
          for (const wanted of needles) {
            const found = mayHaveInJson(column, { form: 'substring', text: wanted })
            expect(found.length).toBe(records.length)
            for (const [row, json] of jsons.entries()) {
              const values = Object.values(JSON.parse(json) as Record<string, unknown>)
                .flat()
                .map(String)
              if (values.some((one) => foldText(one).includes(wanted))) expect(found[row]).toBe(1)
            }
          }
          expect(jsons.map((_, row) => column.view(row)?.toString())).toEqual(jsons)
        },
      ),
      { numRuns: propertyRuns(200) },
    )
  })

  it('reads no variables for words without digits', () => {
    const schema = defineSchema({ text: { type: 'text' } })
    const writer = createBatchWriter(schema)
    for (let row = 0; row < 100; row++) writer.appendRow({ text: `order ${row} failed` })
    const builder = createChunkBuilder(schema)
    builder.add(readBatch(schema, writer.finish()))
    const [chunk] = builder.finish()
    const bytes = chunk?.segments.find(({ name }) => name === 'text')?.bytes
    const column = openChunk(schema, chunk?.head ?? Buffer.alloc(0), { text: bytes ?? Buffer.alloc(0) }).column('text')
    expect([...findText(column, { form: 'phrase', text: 'failed' })]).toEqual(new Array(100).fill(1))
    expect(() => findText(column, { form: 'substring', text: 'failed' })).toThrow('text.variables')
  })
})
