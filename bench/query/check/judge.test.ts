import { describe, expect, it } from '@jest/globals'
import { type Facts, findWrong, LATE_BOUND_MS } from './judge.mjs'

const NOW = 1_000_000_000
const facts = (more: Partial<Facts> = {}): Facts => ({
  base: new Map([['a', 10]]),
  live: [
    { key: 'a', amount: 1, committedMs: NOW - 60_000, visibleMs: NOW - 60_000, acknowledgedMs: NOW - 59_000 },
    { key: 'a', amount: 1, committedMs: NOW - 500, visibleMs: NOW - 500, acknowledgedMs: NOW - 400 },
    { key: 'b', amount: 1, committedMs: NOW - 60_000, visibleMs: NOW - 60_000, acknowledgedMs: NOW - 59_000 },
  ],
  isClosed: false,
  ...more,
})
const answer = (
  values: Record<string, number>,
  more: { ageMs?: number; watermarkMs?: number; isStale?: boolean } = {},
) => ({
  sentMs: NOW,
  receivedMs: NOW + 5,
  ageMs: 0,
  watermarkMs: 0,
  ...more,
  values: new Map(Object.entries(values)),
})
const wrongKeys = (...args: Parameters<typeof findWrong>) => findWrong(...args).map(({ key }) => key)

describe('the judge of answers', () => {
  it('lets an answer pass that holds all that was stored', () => {
    expect(findWrong(answer({ a: 12, b: 1 }), facts())).toEqual([])
  })

  it('finds the value that lacks an event stored before the age the answer claims', () => {
    expect(wrongKeys(answer({ a: 11, b: 1 }), facts())).toEqual(['a'])
    expect(wrongKeys(answer({ a: 11, b: 1 }, { ageMs: 1000 }), facts())).toEqual([])
  })

  it('finds the value that lacks an event acknowledged before its watermark', () => {
    expect(wrongKeys(answer({ a: 10, b: 0 }, { ageMs: 120_000 }), facts())).toEqual([])
    expect(wrongKeys(answer({ a: 10, b: 0 }, { ageMs: 120_000, watermarkMs: NOW - 10_000 }), facts())).toEqual([
      'a',
      'b',
    ])
  })

  it('finds the closed range that lacks a late event beyond the bound, however old it says it is', () => {
    const closed = facts({ isClosed: true })
    expect(wrongKeys(answer({ a: 10, b: 1 }, { ageMs: 3_600_000 }), closed)).toEqual(['a'])
    expect(wrongKeys(answer({ a: 11, b: 1 }, { ageMs: LATE_BOUND_MS }), closed)).toEqual([])
    expect(wrongKeys(answer({ a: 10, b: 1 }, { ageMs: 3_600_000, isStale: true }), closed)).toEqual([])
  })

  it('finds what was never stored', () => {
    expect(wrongKeys(answer({ a: 13, b: 1, c: 1 }), facts())).toEqual(['a', 'c'])
  })

  it('finds a group that is missing, but not in a list cut at its limit', () => {
    expect(wrongKeys(answer({ a: 12 }), facts())).toEqual(['b'])
    expect(wrongKeys(answer({ a: 12 }), facts({ isWhole: false }))).toEqual([])
  })
})
