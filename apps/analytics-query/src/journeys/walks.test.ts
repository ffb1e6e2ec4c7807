import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Durations } from './durations.js'
import { GroupNumbers } from './group-numbers.js'
import { type MarkChunk, ROW_BYTES } from './marks.js'
import { type RawRow, toRowsChunks } from './rows-chunks.js'
import { SparseCounts } from './sparse-counts.js'
import { createTurns, type Turn } from './turns.js'
import { toUserLists, type UserLists } from './user-lists.js'
import { walkFunnel } from './walk-funnel.js'
import { walkRetention } from './walk-retention.js'
import { walkSessions } from './walk-sessions.js'
import { walkStickiness } from './walk-stickiness.js'

const DAY = 86_400_000
const START = Date.UTC(2026, 0, 1)
const starts = Array.from({ length: 366 }, (_, day) => START + day * DAY)
const never: Turn = () => undefined

interface Mark {
  readonly user: number
  readonly timeMs: number
}

function bytesOf(marks: readonly Mark[]): Buffer {
  const bytes = Buffer.alloc(marks.length * ROW_BYTES)
  marks.forEach(({ user, timeMs }, index) => {
    bytes.writeBigInt64BE(BigInt(user), index * ROW_BYTES)
    bytes.writeBigInt64BE(BigInt(timeMs - Date.UTC(2000, 0, 1)) * 1000n, index * ROW_BYTES + 8)
    bytes.writeBigInt64BE(BigInt(index), index * ROW_BYTES + 16)
  })
  return bytes
}

/** Each user in a group of its own, with an event on its first day and one `later` days after, of both conditions. */
async function loners(users: number, later = 300): Promise<UserLists> {
  const chunks = Array.from({ length: users }, (_, user): MarkChunk => {
    const own = START + (user % 60) * DAY
    const marks = [own, own + later * DAY].map((timeMs) => ({ user, timeMs }))
    return { mask: 3, group: user, layout: { of: 'rows' }, bytes: bytesOf(marks) }
  })
  return await toUserLists(chunks, 2, never)
}

/** What every walk is asked of the same lists. */
const WALKS: readonly [
  string,
  (lists: UserLists, cellsMax: number, turn: Turn) => Promise<number>,
  { readonly cells: number; readonly remedy: string },
][] = [
  [
    'retention',
    async (lists, cellsMax, turn) => (await walkRetention(lists, { starts, periods: 366, cellsMax }, turn)).cells,
    { cells: 3, remedy: 'fewer periods' },
  ],
  [
    'a funnel',
    async (lists, cellsMax, turn) => {
      const groups = await walkFunnel(lists, { windowMs: 366 * DAY, cellsMax }, turn)
      return [...groups.values()].reduce((sum, steps) => sum + steps.length, 0)
    },
    { cells: 2, remedy: 'fewer steps' },
  ],
  [
    'stickiness',
    async (lists, cellsMax, turn) => (await walkStickiness(lists, { starts, cellsMax }, turn)).active.cells,
    { cells: 1, remedy: 'a longer interval' },
  ],
  [
    'sessions',
    async (lists, cellsMax, turn) =>
      (await walkSessions(lists, { fromMs: START, starts, gapMs: 1000, cellsMax }, turn)).cells.length,
    { cells: 2, remedy: 'a longer interval' },
  ],
]

describe('a walk through what users did', () => {
  it.each(WALKS)(
    'of %s counts what users fell into, however many groups and periods there are',
    async (_name, walk, { cells }) => {
      expect(await walk(await loners(4_000), 1e9, never)).toBe(4_000 * cells)
    },
  )

  it.each(WALKS)(
    'of %s is refused when that is too much, and says what helps',
    async (_name, walk, { cells, remedy }) => {
      const lists = await loners(100)
      expect(await walk(lists, 100 * cells, never)).toBe(100 * cells)
      await expect(walk(lists, 100 * cells - 1, never)).rejects.toMatchObject({
        code: 'TOO_MANY_GROUPS',
        message: expect.stringContaining(remedy),
        details: { cellsMax: 100 * cells - 1 },
      })
    },
  )

  it.each(WALKS)(
    'of %s tells of all its marks, and lets another question be answered when it is told to',
    async (_name, walk) => {
      const lists = await loners(500)
      let told = 0
      let open = (): void => undefined
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      let isEnded = false
      const long = walk(lists, 1e9, (marks) => {
        told += marks
        return told > 500 ? gate : undefined
      }).finally(() => {
        isEnded = true
      })
      const other = await loners(3)
      expect(await walk(other, 1e9, never)).toBeGreaterThan(0)
      expect([isEnded, told < 1_000]).toEqual([false, true])
      open()
      await long
      expect(told).toBeGreaterThanOrEqual(1_000)
    },
  )

  it('sorts in turns as well, however its marks lie', async () => {
    const one = Array.from({ length: 30_000 }, (_, index) => ({ user: index % 7, timeMs: START + index }))
    const rows: RawRow[] = [{ mask: 1, bytes: bytesOf(one) }]
    const told: number[] = []
    const turn: Turn = (marks) => {
      told.push(marks)
      return undefined
    }
    await toUserLists(await toRowsChunks(rows, new GroupNumbers([], 10), turn), 1, turn)
    // They are numbered, counted, put into place, and put in order.
    expect(told.reduce((sum, marks) => sum + marks, 0)).toBeGreaterThan(4 * 30_000)
  })
})

describe('turns', () => {
  it('give the thread away when one has had it for long, and look at the clock now and then', async () => {
    let nowMs = 0
    let looks = 0
    const turn = createTurns(() => {
      looks++
      return nowMs
    })
    const before = looks
    for (let tens = 0; tens < 999; tens++) expect(turn(10)).toBeUndefined()
    expect(looks).toBe(before)
    nowMs = 10
    expect(turn(10)).toBeUndefined()
    expect(looks).toBe(before + 1)
    nowMs = 20
    let hasRun = false
    setImmediate(() => {
      hasRun = true
    })
    await turn(1_000_000)
    expect(hasRun).toBe(true)
    expect(turn(1_000_000)).toBeUndefined()
  })
})

describe('rows as they come', () => {
  const path = { kind: 'json', name: 'properties.x', root: 'properties', keys: ['x'] } as const

  it('of many groups become few chunks, and those of one large group several, with nothing lost', async () => {
    const many = Array.from(
      { length: 5_000 },
      (_, user): RawRow => ({ mask: 1, g0: user, bytes: bytesOf([{ user, timeMs: START }]) }),
    )
    const large = Array.from({ length: 80_000 }, (_, user) => ({ user, timeMs: START + 1 }))
    const rows: RawRow[] = [...many, { mask: 1, g0: 'large', bytes: bytesOf(large) }]
    const groups = new GroupNumbers([path], 30_000)
    const chunks = await toRowsChunks(rows, groups, never)
    expect(chunks.length).toBeLessThan(10)
    expect(Math.max(...chunks.map(({ bytes }) => bytes.length / ROW_BYTES))).toBeLessThanOrEqual(70_000)
    const { lists, users } = await toUserLists(chunks, 1, never)
    expect(users).toBe(80_000)
    const [list] = lists
    for (const user of [0, 777, 4_999, 5_000, 79_999]) {
      const at = list?.starts[user] ?? -1
      const isSmall = user < 5_000
      expect(groups.groups[list?.groups[at] ?? -1]).toEqual([isSmall ? String(user) : 'large'])
      expect((list?.starts[user + 1] ?? 0) - at).toBe(isSmall ? 2 : 1)
    }
  })
})

describe('counts of few among many', () => {
  it('are those of a map', () => {
    const key = fc.oneof(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 2 ** 53 - 1 }),
      fc.integer({ min: 0, max: 3_000 }).map((n) => n * 366),
    )
    fc.assert(
      fc.property(fc.array(key, { maxLength: 3_000 }), (keys) => {
        const counts = new SparseCounts()
        const model = new Map<number, number>()
        for (const one of keys) {
          counts.add(one)
          model.set(one, (model.get(one) ?? 0) + 1)
        }
        expect(new Map([...counts.keys()].map((one) => [one, counts.of(one)]))).toEqual(model)
        expect([counts.size, counts.of(123_456_789_123)]).toEqual([model.size, model.get(123_456_789_123) ?? 0])
      }),
      { numRuns: 50, seed: 3 },
    )
  })
})

describe('durations', () => {
  it('a percentile of two durations above the median is the longer one', () => {
    const durations = new Durations()
    durations.add(1_200_000)
    durations.add(0)
    expect(durations.summary()).toEqual({ seconds_avg: 600, seconds_p50: 0, seconds_p95: 1200 })
  })
})
