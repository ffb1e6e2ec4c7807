import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { openDatabase } from '@millrace/database'
import { textOf } from '@millrace/rollups'
import { createTestDatabase } from '@millrace/testing'
import fc from 'fast-check'
import { type FieldPath, type Filter, filterSql, parseFieldPath, parseFilters } from '../src/index.js'

/** A table of log lines, whose fields have other names than those of events. */
type LinePath = FieldPath<'level' | 'message', 'fields'>
const parseLinePath = (name: string): LinePath =>
  parseFieldPath(name, { columns: ['level', 'message'], jsonRoots: ['fields'] })

interface Line {
  readonly level: string | null
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

const TEXTS = ['', 'a', 'ab', 'b', 'é', '\u{ffff}', '\u{10000}', '1', '1.5', 'true', 'null']
const VALUES = [
  ...TEXTS,
  1,
  1.5,
  -0.1,
  1e300,
  true,
  false,
  null,
  [1],
  [],
  ['a', 1.5, null, ['b']],
  ['1', true, 'ab', 'b'],
  [{ a: 'a' }],
  { a: 1 },
]

class Values {
  readonly list: unknown[] = []

  add(value: unknown, type: string): string {
    this.list.push(value)
    return `$${this.list.length}::${type}`
  }
}

/** What a filter means, on the line as JavaScript has it. */
function isMatch({ path, ...filter }: Filter<LinePath>, line: Line): boolean {
  const value = path.kind === 'column' ? line[path.column] : line.fields[path.keys[0] as string]
  const text = path.kind === 'column' || typeof value === 'string' ? (value as string | null) : null
  switch (filter.op) {
    case 'in':
      return filter.texts.includes(textOf(value) as string)
    case 'not_in':
      return !filter.texts.includes(textOf(value) as string)
    case 'any':
      return Array.isArray(value) && filter.texts.some((one) => value.some((item) => textOf(item) === one))
    case 'all':
      return Array.isArray(value) && filter.texts.every((one) => value.some((item) => textOf(item) === one))
    case 'exists':
      return (value ?? null) !== null
    case 'not_exists':
      return (value ?? null) === null
    case 'prefix':
      return text?.startsWith(filter.prefix) === true
    case 'not_prefix':
      return text?.startsWith(filter.prefix) !== true
    default: {
      const { operand, op } = filter
      if (typeof value !== typeof operand) return false
      const order = typeof operand === 'number' ? (value as number) - operand : compareTexts(value as string, operand)
      return { gt: order > 0, gte: order >= 0, lt: order < 0, lte: order <= 0 }[op]
    }
  }
}

/** By code points, as PostgreSQL compares with the collation "C". */
function compareTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

describe('filters on a table that is not events', () => {
  let test: Awaited<ReturnType<typeof createTestDatabase>>
  let database: ReturnType<typeof openDatabase>

  beforeAll(async () => {
    test = await createTestDatabase()
    database = openDatabase({ url: test.url })
    await database.query('create table lines (level text, message text not null, fields jsonb not null)')
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  const line = fc.record({
    level: fc.option(fc.constantFrom(...TEXTS)),
    message: fc.constantFrom(...TEXTS),
    fields: fc.dictionary(fc.constantFrom('host.name', 'a[0]', 'ms'), fc.constantFrom<unknown>(...VALUES), {
      noNullPrototype: true,
    }),
  })
  const scalars = VALUES.filter((value) => textOf(value) !== null)
  const condition = fc
    .oneof(
      fc.record({ op: fc.constantFrom('eq', 'ne'), value: fc.constantFrom<unknown>(...scalars) }),
      fc.record({
        op: fc.constantFrom('in', 'not_in'),
        value: fc.array(fc.constantFrom<unknown>(...scalars), { minLength: 1, maxLength: 4 }),
      }),
      fc.record({
        op: fc.constantFrom('gt', 'gte', 'lt', 'lte'),
        value: fc.constantFrom<unknown>(...scalars.filter((value) => typeof value !== 'boolean')),
      }),
      fc.record({ op: fc.constant('contains'), value: fc.constantFrom<unknown>(...scalars) }),
      fc.record({
        op: fc.constantFrom('any', 'all'),
        value: fc.array(fc.constantFrom<unknown>(...scalars), { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ op: fc.constantFrom('exists', 'not_exists'), value: fc.constant<unknown>(null) }),
      fc.record({
        op: fc.constantFrom('prefix', 'not_prefix'),
        value: fc.constantFrom<unknown>(...TEXTS.filter((text) => text !== '')),
      }),
    )
    .chain(({ op, value }) =>
      fc
        .constantFrom(
          ...(['contains', 'any', 'all'].includes(op) ? [] : ['level', 'message']),
          'fields["host.name"]',
          'fields["a[0]"]',
          'fields.ms',
        )
        .map((property) => ({
          property,
          op,
          valueJson: JSON.stringify(value),
        })),
    )

  it('match the same rows in PostgreSQL as their meaning says, for every operator and type of value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 30 }), condition, async (lines, text) => {
        const [filter] = parseFilters([text], parseLinePath) as [Filter<LinePath>]
        const values = new Values()
        const where = filterSql(
          filter,
          {
            column: ({ column }) => `l.${column}`,
            json: ({ root, keys }) => `(l.${root} #> ${values.add(keys, 'text[]')})`,
          },
          values,
        )
        await database.query('truncate lines')
        await database.query(
          'insert into lines select * from jsonb_to_recordset($1::jsonb) as t (level text, message text, fields jsonb)',
          [JSON.stringify(lines)],
        )
        const { rows } = await database.query<{ line: Line }>(
          `select jsonb_build_object('level', level, 'message', message, 'fields', fields) as line from lines l where ${where}`,
          values.list,
        )
        const sorted = (some: readonly Line[]) => some.map((one) => JSON.stringify(one, sortKeys)).sort()
        expect(sorted(rows.map((row) => row.line))).toEqual(sorted(lines.filter((one) => isMatch(filter, one))))
      }),
      { numRuns: 250 },
    )
  })
})

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe('parsing filters', () => {
  const one = (op: string, value?: unknown, property = 'level') => [
    { property, op, valueJson: value === undefined ? '' : JSON.stringify(value) },
  ]

  it.each<[string, ReturnType<typeof one>, string]>([
    ['an unknown operator', one('like', 'x'), 'UNKNOWN_OPERATOR'],
    ['a missing value', one('eq'), 'INVALID_FILTER_VALUE'],
    ['an object as a value', one('eq', {}), 'INVALID_FILTER_VALUE'],
    ['an empty list', one('in', []), 'INVALID_FILTER_VALUE'],
    ['more than 1000 values', one('in', Array(1001).fill(1)), 'INVALID_FILTER_VALUE'],
    ['a comparison with a boolean', one('gt', true), 'INVALID_FILTER_VALUE'],
    ['an operator on lists for a column', one('contains', 'a'), 'INVALID_FIELD_PATH'],
    ['a list as the value of contains', one('contains', ['a'], 'fields.a'), 'INVALID_FILTER_VALUE'],
    ['an empty list for any', one('any', [], 'fields.a'), 'INVALID_FILTER_VALUE'],
    ['a text for all', one('all', 'a', 'fields.a'), 'INVALID_FILTER_VALUE'],
    ['an empty prefix', one('prefix', ''), 'INVALID_FILTER_VALUE'],
    ['a text that PostgreSQL cannot store', one('eq', 'a\0'), 'INVALID_FILTER_VALUE'],
    ['a field that the table does not have', one('eq', 1, 'user_id'), 'INVALID_FIELD_PATH'],
    ['a path with an empty part', one('eq', 1, 'fields..a'), 'INVALID_FIELD_PATH'],
    ['a path with too many parts', one('eq', 1, `fields${'.a'.repeat(11)}`), 'INVALID_FIELD_PATH'],
    ['an index from the end of a list', one('eq', 1, 'fields.-1'), 'INVALID_FIELD_PATH'],
    ['an index from the end of a list in brackets', one('eq', 1, 'fields.a[-1]'), 'INVALID_FIELD_PATH'],
    ['a quote that is not closed', one('eq', 1, 'fields["a'), 'INVALID_FIELD_PATH'],
    ['an empty quoted key', one('eq', 1, 'fields[""]'), 'INVALID_FIELD_PATH'],
    ['a key below a column', one('eq', 1, 'level.a'), 'INVALID_FIELD_PATH'],
    ['a quoted key below a column', one('eq', 1, 'level["a"]'), 'INVALID_FIELD_PATH'],
    ['a JSON column without a key', one('eq', 1, 'fields'), 'INVALID_FIELD_PATH'],
    ['more than 20 filters', Array.from({ length: 21 }, () => one('eq', 1)).flat(), 'TOO_MANY_FILTERS'],
  ])('refuses %s by its own code', (_title, filters, code) => {
    expect(() => parseFilters(filters, parseLinePath)).toThrow(expect.objectContaining({ code, kind: 'invalid' }))
  })
})
