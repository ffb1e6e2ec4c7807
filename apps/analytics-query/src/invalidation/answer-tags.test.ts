import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { tagsOfDay, tagsOfRange } from './answer-tags.js'

const DAY = 86_400_000
const at = (text: string): number => new Date(text).getTime()
const periods = (tags: string[] | undefined) => tags?.map((tag) => tag.split(':')[2])

describe('the tags of an answer', () => {
  it('are whole years and months, and days at both ends of the range', () => {
    const range = { fromMs: at('2024-11-29T12:00:00Z'), toMs: at('2026-02-02T00:00:01Z') }
    expect(periods(tagsOfRange(1, '*', range))).toEqual([
      '2024-11-29',
      '2024-11-30',
      '2024-12',
      '2025',
      '2026-01',
      '2026-02-01',
      '2026-02-02',
    ])
  })

  it('contain a tag of a late event exactly when the event is in the days of the range and has a name of the query', () => {
    const day = fc.integer({ min: at('2019-12-01T00:00:00Z') / DAY, max: at('2026-12-31T00:00:00Z') / DAY })
    const name = fc.constantFrom('a', 'b', 'c')
    fc.assert(
      fc.property(
        day,
        fc.integer({ min: 1, max: 800 }),
        fc.integer({ min: 0, max: DAY - 1 }),
        day,
        fc.oneof(fc.constant('*' as const), fc.uniqueArray(name, { minLength: 1 })),
        name,
        fc.constantFrom(1, 2),
        (first, days, offsetMs, late, events, event, tenant) => {
          const fromMs = first * DAY + offsetMs
          const tags = tagsOfRange(1, events, { fromMs, toMs: fromMs + days * DAY })
          if (tags === undefined) return events.length > 1
          const dropped = new Set(tagsOfDay({ tenant, event, day: new Date(late * DAY).toISOString().slice(0, 10) }))
          const lastDay = Math.ceil((fromMs + days * DAY) / DAY) - 1
          const isTouched =
            tenant === 1 && (events === '*' || events.includes(event)) && late >= first && late <= lastDay
          return tags.some((tag) => dropped.has(tag)) === isTouched
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('are few for any range for which rollups are kept, and undefined for longer ranges', () => {
    const years = (first: number, last: number) => ({
      fromMs: at(`${first}-01-02T00:00:00Z`),
      toMs: at(`${last}-12-31T00:00:00Z`),
    })
    expect(tagsOfRange(1, ['a'], years(2025, 2026))?.length).toBeLessThan(90)
    expect(
      tagsOfRange(1, '*', { fromMs: at('0001-01-01T00:00:00Z'), toMs: at('2026-01-01T00:00:00Z') }),
    ).toBeUndefined()
  })
})
