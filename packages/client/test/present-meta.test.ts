import { describe, expect, it } from '@jest/globals'
import type { QueryAnswerMeta } from '../src/index.js'
import { presentMeta } from '../src/present-meta.js'

const said: QueryAnswerMeta = { source: 'raw', age_ms: 0, watermark: '2026-11-20T00:00:00.000Z', took_ms: 9 }
const at = (time: string): string => `2026-11-21T${time}Z`
const httpDate = (time: string): string => new Date(at(time)).toUTCString()
const told = (ageMs: number, sentAt: string): string =>
  `source=memory, age_ms=${ageMs}, watermark="${at('10:00:00.000')}", took_ms=0.5, sent_at="${sentAt}"`

/** 30 ms after the request, with a body of long ago. */
const read = (headers: Record<string, string>, body: QueryAnswerMeta = said) =>
  presentMeta(
    body,
    { status: 200, headers: new Headers(headers), text: '', sentAtMs: 1000 },
    { known: undefined, nowMs: 1030 },
  )

describe('the meta of an answer', () => {
  it.each([
    ['comes directly from the gateway', { date: httpDate('10:00:05.000') }, 30],
    ['was in a cache that sends Age', { date: httpDate('10:00:05.000'), age: '7' }, 7030],
    ['was in a proxy that replaces Date', { date: httpDate('10:00:09.000') }, 3100],
    ['was in both', { date: httpDate('10:00:25.000'), age: '7' }, 19_100],
    ['came through a proxy whose clock is behind', { date: httpDate('09:00:00.000') }, 30],
    ['is read by a page that may not see these headers', {}, 30],
    ['has an Age that is not a number', { age: 'soon' }, 30],
  ])('adds the time on the way to the age that the gateway reported, when the answer %s', (_, headers, grownMs) => {
    const meta = read({ 'millrace-meta': told(4000, at('10:00:05.930')), ...headers })
    expect(meta).toEqual({ source: 'memory', age_ms: 4000 + grownMs, watermark: at('10:00:00.000'), took_ms: 0.5 })
  })

  it('does not count the wait for a watermark as age, and keeps what only the body has', () => {
    const body: QueryAnswerMeta = { ...said, waited_ms: 20, is_behind: true, plan: { p: 1 } }
    expect(read({ 'millrace-meta': told(5, at('10:00:05.000')) }, body)).toMatchObject({
      age_ms: 15,
      is_behind: true,
      plan: { p: 1 },
    })
  })

  it('has the age of the revalidation for a remembered answer, however long the first request waited', () => {
    const body: QueryAnswerMeta = { ...said, waited_ms: 5000 }
    const known = { etag: '"1"', text: '', meta: body, atMs: 400 }
    const headers = new Headers({ 'millrace-meta': told(5, at('10:00:05.000')) })
    const again = { status: 304, headers, text: '', sentAtMs: 1000 }
    expect(presentMeta(body, again, { known, nowMs: 1030 }).age_ms).toBe(35)
  })

  it('has no watermark when the gateway reports none', () => {
    expect(read({ 'millrace-meta': 'source=rollup, age_ms=0, took_ms=1' }).watermark).toBeNull()
  })

  it('is that of the body without the header, and grows older for a remembered answer', () => {
    for (const headers of [{}, { 'millrace-meta': 'something=else' }]) expect(read(headers)).toBe(said)
    const known = { etag: '"1"', text: '', meta: { ...said, age_ms: 5 }, atMs: 400 }
    const again = { status: 304, headers: new Headers(), text: '', sentAtMs: 1000 }
    expect(presentMeta(said, again, { known, nowMs: 1030 })).toEqual({ ...said, age_ms: 635 })
  })
})
