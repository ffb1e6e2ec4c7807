import { describe, expect, it } from '@jest/globals'
import type { z } from 'zod'
import { type QueryKindName, queryKinds } from './query-kinds.js'
import { queryStringForms } from './query-string.js'
import { isTime } from './time-text.js'
import { toRunQueryRequest } from './to-run-query-request.js'

const kinds = Object.keys(queryKinds) as QueryKindName[]

describe('the contract of query kinds', () => {
  it.each(kinds)('has an example of %s that its own schemas accept', (kind) => {
    const { request, point, summary, example } = queryKinds[kind]
    expect(request.safeParse(example.query).error).toBeUndefined()
    for (const item of example.data) expect((point as z.ZodType).parse(item)).toEqual(item)
    expect(example.summary === undefined).toBe(summary === undefined)
    if (summary !== undefined) expect((summary as z.ZodType).parse(example.summary)).toEqual(example.summary)
  })

  it.each(kinds)('names %s in the message for analytics-query and passes its range on', (kind) => {
    const { request, example } = queryKinds[kind]
    const message = toRunQueryRequest(kind, request.parse({ ...example.query, limit: 7 }))
    expect(message).toMatchObject({ kind, limit: 7, from: new Date(example.query.from ?? '') })
  })

  it('reads the form of each field in a query string from its schema', () => {
    expect(queryStringForms.funnel).toMatchObject({
      steps: 'list',
      group_by: 'list',
      window: 'text',
      filters: 'json',
      limit: 'number',
      strict: 'flag',
      from: 'text',
    })
    expect(queryStringForms.timeseries.metric).toBe('metric')
    expect(queryStringForms.retention.periods).toBe('number')
  })

  it('rejects a text that no event can hold, and says where the character is', () => {
    const { error } = queryKinds.uniques.request.safeParse({ event: 'a\u0000b' })
    expect(error?.issues[0]).toMatchObject({ code: 'custom', params: { position: 1 } })
  })

  it.each([
    ['2026-02-28', true],
    ['2026-02-30', false],
    ['2026-11-21T08:00:00Z', true],
    ['2026-11-21 08:00:00+0200', true],
    ['2026-11-21T08:00', false],
    ['yesterday', false],
  ])('takes %s for an existing day or time: %s', (text, expected) => {
    expect(isTime(text)).toBe(expected)
  })
})
