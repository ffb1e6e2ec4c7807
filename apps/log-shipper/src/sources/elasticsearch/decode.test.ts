import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DecodeFault } from '../../fields/decode-fault.js'
import { CollectedRecords } from '../../testing/collect-records.js'
import { EMPTY_RECORD, plainOf } from '../../testing/expect-record.js'
import { decodeBulk } from './decode.js'
import { filterPath } from './filter-path.js'

function decode(body: string | Buffer, index = '') {
  const sink = new CollectedRecords()
  const items = decodeBulk(Buffer.from(body), index, sink)
  return { sink, items }
}

describe('a body of _bulk', () => {
  it('becomes one record for each create and index, with index and id as attributes', () => {
    const { sink, items } = decode(
      '{"create":{"_index":"logs-a","_id":"1"}}\n{"message":"one","level":"error"}\r\n{ "index" : {} }\n{"message":"two"}\n',
      'of-path',
    )
    expect(items).toEqual([
      { action: 'create', index: 'logs-a', id: '1' },
      { action: 'index', index: 'of-path', id: undefined },
    ])
    expect(plainOf(sink.records)).toEqual(
      plainOf([
        {
          ...EMPTY_RECORD,
          message: 'one',
          severity: 17,
          severityText: 'error',
          attributes: { _index: 'logs-a', _id: '1' },
        },
        { ...EMPTY_RECORD, message: 'two', attributes: { _index: 'of-path' } },
      ]),
    )
  })

  it('takes a last line without a line feed, blank lines between items, and a document with an _id of its own', () => {
    const { sink } = decode('\n{"index":{"_id":"a"}}\n{"_id":"b"}\n\n{"index":{}}\n{"message":"m"}')
    expect(plainOf(sink.records)).toEqual(
      plainOf([
        { ...EMPTY_RECORD, attributes: { _id: 'b' } },
        { ...EMPTY_RECORD, message: 'm' },
      ]),
    )
  })

  it('refuses updates, deletions and documents that are no JSON object one by one', () => {
    const { sink, items } = decode(
      '{"delete":{"_id":"1"}}\n{"update":{}}\n{"doc":{}}\n{"index":{}}\n[1]\n{"index":{}}\n{"a":\n{"index":{}}\n\n{"index":{}}\n{"message":"kept"}\n',
    )
    expect(items).toHaveLength(6)
    expect(sink.records.map(({ message }) => message)).toEqual(['kept'])
    expect(sink.rejections.map(({ index, code }) => [index, code])).toEqual([
      [0, 'unsupported'],
      [1, 'unsupported'],
      [2, 'not_an_object'],
      [3, 'invalid_json'],
      [4, 'invalid_json'],
    ])
  })

  it.each([
    '{"index":{}}\n',
    'no json\n{}\n',
    '{"index":{},"create":{}}\n{}\n',
    '{"upsert":{}}\n{}\n',
    '{"index":1}\n{}\n',
    '[]\n{}\n',
    '{}\n{}',
  ])('is refused whole when actions and documents cannot be told apart: %j', (body) => {
    const sink = new CollectedRecords()
    expect(() => decodeBulk(Buffer.from(`{"index":{}}\n{"message":"m"}\n${body}`), '', sink)).toThrow(DecodeFault)
    expect(sink.records).toEqual([])
  })

  it('gives each item a verdict, or is refused with a precise error, whatever it contains', () => {
    const line = fc.oneof(
      fc.constantFrom('{"index":{}}', '{"create":{"_index":"a"}}', '{"delete":{}}', '', '{"message":"m"}', '{'),
      fc.json(),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 10 }), (lines) => {
        const sink = new CollectedRecords()
        try {
          const items = decodeBulk(Buffer.from(lines.join('\n')), '', sink)
          expect(sink.records.length + sink.rejections.length).toBe(items.length)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeFault)
          expect(sink.records.length + sink.rejections.length).toBe(0)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('filter_path', () => {
  const response = {
    took: 3,
    errors: true,
    items: [{ index: { _id: 'a', status: 201 } }, { create: { status: 400, error: { type: 't', reason: 'r' } } }],
  }

  it.each([
    ['took', { took: 3 }],
    [
      'errors,items.*.error,items.*.status',
      {
        errors: true,
        items: [{ index: { status: 201 } }, { create: { status: 400, error: { type: 't', reason: 'r' } } }],
      },
    ],
    ['items.*.error', { items: [{ create: { error: { type: 't', reason: 'r' } } }] }],
    ['**.reason', { items: [{ create: { error: { reason: 'r' } } }] }],
    ['t*k', { took: 3 }],
    ['-items', { took: 3, errors: true }],
    [
      'items.*.*,-**._id',
      { items: [{ index: { status: 201 } }, { create: { status: 400, error: { type: 't', reason: 'r' } } }] },
    ],
    ['unknown', {}],
    ['', response],
  ])('%s keeps its parts of the response', (filter, expected) => {
    expect(filterPath(response, filter)).toEqual(expected)
  })

  it('takes little time for hostile patterns', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(10)}1${'}'.repeat(10)}`)
    expect(filterPath(deep, Array.from({ length: 100 }, () => '**.**.**.**.**.*a*a*a*a*b').join(','))).toEqual({})
  })
})
