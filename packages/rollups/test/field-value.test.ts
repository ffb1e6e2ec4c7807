import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Database, openDatabase } from '@millrace/database'
import { createTestDatabase, propertyRuns, type TestDatabase } from '@millrace/testing'
import fc from 'fast-check'
import { isOneOfSql, type JsonPath, jsonFieldSql, numberSql, scalarSql } from '../src/field-sql.js'
import { numberOf, textOf, valueAt } from '../src/field-value.js'
import { readNumber, readText } from '../src/json-bytes.js'

/** Texts that PostgreSQL can store; the gateway rejects the others. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('', 'true', 'null', '1', '1.0', '-0', '1e3', 'Infinity', 'NaN', ' 1', '01', 'é', '🚀', '"\\'),
  )
  .filter((one) => one.isWellFormed() && !one.includes('\0'))

/** Also numbers with more digits than a double holds, halfway between two doubles and at both ends of their range. */
const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((double) => JSON.stringify(double)),
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String),
  fc
    .tuple(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.integer({ min: -290, max: 280 }))
    .map(([digits, exponent]) => `${digits}e${exponent}`),
  fc.tuple(fc.integer(), fc.nat()).map(([whole, fraction]) => `${whole}.${fraction}`),
  fc.constantFrom(
    ...['0', '-0', '0.0', '-0.0e5', '1.0', '1e0', '1e21', '1e-7', '100000000000000000000000', '0.1'],
    ...['9007199254740992', '9007199254740993', '9007199254740993.00000000001', '9999999999999999'],
    ...['0.10000000000000000555', '123456789012345.6', '2.2250738585072011e-308', '1.7976931348623157e308'],
    ...['1.797693134862315807e308', '5e-324', '4.9406564584124654e-324'],
  ),
)

/** Keys that JavaScript or PostgreSQL might take for an index, or that every list or object of JavaScript has. */
const trickyKeys = [
  '0',
  '1',
  '2',
  '10',
  '01',
  '-1',
  '+1',
  ' 1',
  '1 ',
  '-0',
  'length',
  'constructor',
  'name',
  '__proto__',
]
const trickyKey = fc.constantFrom(...trickyKeys)
const key = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'é') },
  { weight: 3, arbitrary: trickyKey },
  { weight: 1, arbitrary: text.filter((one) => one !== '' && !one.includes('.')) },
)

/** JSON as text, so that numbers reach PostgreSQL with all their digits. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text.map((one) => JSON.stringify(one)),
    numberText,
    fc.constantFrom('true', 'false', 'null'),
    fc.array(tie('json'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
    fc.array(fc.tuple(key, tie('json')), { maxLength: 4 }).map(objectOf),
  ),
}))

function objectOf(entries: readonly (readonly [string, string])[]): string {
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)} : ${value}`).join(', ')}}`
}

/** Properties of an event with lists, objects and values below some keys, and a path that often leads to a value. */
const event = fc
  .record({
    present: fc.array(key, { minLength: 1, maxLength: 3 }),
    leaf: json,
    siblings: fc.array(fc.tuple(key, json), { maxLength: 3 }),
    isList: fc.boolean(),
    end: fc.array(trickyKey, { maxLength: 2 }),
  })
  .map(({ present, leaf, siblings, isList, end }) => {
    const properties = present.reduceRight((value, name, depth) => {
      if (isList && depth > 0) return `[${[...siblings.map(([, sibling]) => sibling), value].join(',')}]`
      return objectOf([...siblings, [name, value]])
    }, leaf)
    const [first = 'a'] = present
    return {
      properties,
      paths: [
        present,
        [first, ...end],

        ...(isList ? trickyKeys.map((last) => [first, last]) : []),
      ],
    }
  })

const bits = new DataView(new ArrayBuffer(8))

/** The texts of the doubles next to the number that a text stands for: the ends of their ranges touch. */
function neighbours(text: string | null): string[] {
  const number = Number(text ?? Number.NaN)
  if (text === null || !Number.isFinite(number) || number === 0) return []
  return [-1n, 1n].map((step) => {
    bits.setFloat64(0, number)
    bits.setBigUint64(0, bits.getBigUint64(0) + step)
    return String(bits.getFloat64(0))
  })
}

class Parameters {
  readonly list: unknown[] = []
  add(value: unknown, type: string): string {
    return `$${this.list.push(value)}::${type}`
  }
}

describe('the value of a field', () => {
  let test: TestDatabase
  let database: Database
  beforeAll(async () => {
    test = await createTestDatabase()
    database = openDatabase({ url: test.url, connectionLimit: 1 })
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  async function askPostgres(properties: string, jsonPath: JsonPath, texts: readonly string[]) {
    const parameters = new Parameters()
    const value = jsonFieldSql(jsonPath, parameters)
    const matches = texts.map((one, at) => `(${isOneOfSql(value, [one], parameters)}) is true as match${at}`)
    const statement = `with e as (select ${parameters.add(properties, 'jsonb')} as properties)
      select ${scalarSql(value)} as scalar, (${numberSql(value)})::text as number,
        (${isOneOfSql(value, texts, parameters)}) is true as any, ${matches.join(', ')} from e`
    const { rows } = await database.query<Record<string, unknown>>({ text: statement, values: parameters.list })
    const row = rows[0] as Record<string, unknown>
    return {
      text: textOf(row.scalar),
      number: row.number === null ? Number.NaN : Number(row.number),
      isAny: row.any,
      matches: texts.map((_, at) => row[`match${at}`]),
    }
  }

  it('the value of a field has the same text and the same number in JavaScript and in PostgreSQL', async () => {
    const otherTexts = fc.array(fc.oneof(text, numberText, numberText.map(Number).map(String)), { minLength: 1 })
    await fc.assert(
      fc.asyncProperty(event, otherTexts, async ({ properties, paths }, others) => {
        for (const keys of paths) {
          const value = valueAt(JSON.parse(properties), keys)
          const own = textOf(value)
          const texts = [...others, ...neighbours(own), ...(own === null ? [] : [own])]
          expect(await askPostgres(properties, { root: 'properties', keys }, texts)).toEqual({
            text: own,
            // PostgreSQL has no negative zero.
            number: numberOf(value) + 0,
            isAny: own !== null,
            matches: texts.map((one) => one === own),
          })
        }
      }),
      {
        numRuns: 150,
        examples: [
          // Halfway between two doubles, of which the upper one is even.
          [{ properties: '{"a":9007199254740995}', paths: [['a']] }, ['1']],
          [{ properties: '{"a":[3,4]}', paths: trickyKeys.map((last) => ['a', last]) }, ['3']],
        ],
      },
    )
  })

  it('the value of a field has the same text and the same number in the bytes of an event and in its parsed JSON', () => {
    fc.assert(
      fc.property(json, fc.constantFrom('', '}', ' ', ',', '\n]'), (value, after) => {
        const before = '{"é":'
        const bytes = Buffer.from(`${before}${value}${after}`)
        const at = Buffer.byteLength(before)
        expect(readText(bytes, at)).toBe(textOf(JSON.parse(value)))
        expect(readNumber(bytes, at)).toBe(numberOf(JSON.parse(value)))
      }),
      { numRuns: propertyRuns(1_500) },
    )
  })
})
