import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createGenerations, type Generations } from '../../src/generations.js'
import { type Action, lagMsMax, World, type WorldOptions } from './world.js'

/** The tests take seconds; a busy machine needs longer. */
const limitMs = 300_000

const processes = fc.constantFrom(0, 1)
const read: fc.Arbitrary<Action> = fc.record({
  kind: fc.constant('read' as const),
  process: processes,
  key: fc.constantFrom('k1' as const, 'k2' as const),
  isStrict: fc.boolean(),
})
const write: fc.Arbitrary<Action> = fc.record({
  kind: fc.constant('write' as const),
  process: processes,
  fact: fc.constantFrom('a' as const, 'b' as const),
  how: fc.constantFrom('tag' as const, 'key' as const, 'pattern' as const, 'everything' as const, 'set' as const),
})
const fault: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constantFrom('break' as const, 'mend' as const), process: processes }),
  fc.record({ kind: fc.constantFrom('snapshot' as const, 'restart' as const, 'evict' as const) }),
)
const histories = fc.record({
  actions: fc.array(
    fc.oneof({ arbitrary: read, weight: 5 }, { arbitrary: write, weight: 3 }, { arbitrary: fault, weight: 1 }),
    {
      minLength: 2,
      maxLength: 16,
    },
  ),
  /** Choices of the next step and of lost messages; after the last one always the oldest step, and no lost messages. */
  choices: fc.array(fc.nat(999), { maxLength: 250, size: 'max' }),
  losses: fc.array(fc.boolean(), { maxLength: 20 }),
  staleMs: fc.constantFrom(0, 1_000),
  ttlMs: fc.constantFrom(500, 60_000),
})
type History = typeof histories extends fc.Arbitrary<infer T> ? T : never

async function play(history: History, options: Partial<WorldOptions> = {}) {
  let next = 0
  let message = 0
  const world = new World({
    choose: (count) => (history.choices[next++] ?? 0) % count,
    losesMessage: () => history.losses[message++] ?? false,
    namespace: { ttlMs: history.ttlMs, staleMs: history.staleMs },
    ...options,
  })
  await world.run(history.actions)
  return world
}

/** The same property as below, with a part of the fence removed. The seeds are chosen so that a violation is found soon. */
async function findStaleRead(seed: number, options: Partial<WorldOptions>): Promise<string | undefined> {
  const outcome = await fc.check(
    fc.asyncProperty(histories, async (history) => {
      const world = await play(history, options)
      expect(world.violations).toEqual([])
    }),
    { numRuns: 1_000, seed, endOnFailure: true },
  )
  return outcome.failed ? String(outcome.errorInstance) : undefined
}

describe('the fence against outdated loads, over random interleavings of loads, writes, invalidations, messages and faults in two processes', () => {
  it(
    'never lets a read return the old value after a write',
    async () => {
      let answers = 0
      await fc.assert(
        fc.asyncProperty(histories, async (history) => {
          const world = await play(history)
          answers += world.answers
          expect(world.violations).toEqual([])
        }),
        { numRuns: 1_000, interruptAfterTimeLimit: 5_000 },
      )
      expect(answers).toBeGreaterThan(0)
    },
    limitMs,
  )

  it(
    'is needed in memory: when values are stamped at the time they are kept, the same check finds a stale read',
    async () => {
      expect(await findStaleRead(36, { createGenerations: stampedWhenKept })).toContain('was due')
    },
    limitMs,
  )

  it(
    'is needed in Redis: when values are stamped at the time they are stored, the same check finds a stale read',
    async () => {
      expect(await findStaleRead(36, { isStoreFenced: false })).toContain('was due')
    },
    limitMs,
  )

  it(
    'needs the maximum lag: when unconfirmed memory is used, the same check finds a stale read',
    async () => {
      expect(await findStaleRead(4, { lagMsMax: lagMsMax * 1_000, namespace: { ttlMs: 1e9 } })).toContain('was due')
    },
    limitMs,
  )
})

/** Generations as in other caches: a value gets its number when it is kept, not when its load begins. */
function stampedWhenKept(): Generations {
  const real = createGenerations()
  const stamps = new Map<string, number>()
  return {
    get sequence() {
      return real.sequence
    },
    bump: (names) => real.bump(names),
    isCurrent(key, tags, asOf) {
      const id = `${key} ${asOf}`
      const stamp = stamps.get(id) ?? real.sequence
      stamps.set(id, stamp)
      return real.isCurrent(key, tags, stamp)
    },
  }
}
