import { describe, expect, it } from '@jest/globals'
import { type Action, World, type WorldOptions } from './world.js'

/** The steps in which both processes read the log once, before the orders begin to differ: two commands, two replies. */
const startSteps = 4
/** The test takes a second or two; a busy machine needs longer. */
const limitMs = 300_000

interface Turn {
  readonly taken: number
  readonly of: number
}

/**
 * Runs every order of steps with at most `deviationsMax` deviations: a deviation takes another step than the oldest possible one, or begins a call before
 * the previous call has ended. Returns the number of orders and the violations. The races of two calls need one or two deviations. Time moves only
 * when nothing else can happen.
 */
async function playAll(actions: readonly Action[], deviationsMax: number, options: Partial<WorldOptions> = {}) {
  const violations = new Set<string>()
  let orders = 0
  let path: Turn[] | undefined = []
  while (path !== undefined) {
    const turns: Turn[] = []
    let step = 0
    const choose = (count: number) => {
      // The last possible step is that time moves.
      const possible = count - 1
      if (step++ < startSteps || possible <= 1) return 0
      const taken: number = path?.[turns.length]?.taken ?? 0
      turns.push({ taken, of: possible })
      return taken
    }
    const world = new World({ choose, losesMessage: () => true, ...options })
    await world.run(actions, 80)
    for (const violation of world.violations) violations.add(violation)
    orders++
    path = nextPath(turns, deviationsMax)
  }
  return { orders, violations: [...violations] }
}

/** The next order, depth first: changes the last choice that has another alternative. */
function nextPath(turns: Turn[], deviationsMax: number): Turn[] | undefined {
  for (let last = turns.pop(); last !== undefined; last = turns.pop()) {
    const deviations = turns.filter(({ taken }) => taken > 0).length
    if (last.taken + 1 < last.of && deviations < deviationsMax) return [...turns, { ...last, taken: last.taken + 1 }]
  }
  return undefined
}

const read = (process: number, key: 'k1' | 'k2', isStrict = false): Action => ({ kind: 'read', process, key, isStrict })
const write = (process: number, how: 'tag' | 'key' | 'set' | 'pattern', fact: 'a' | 'b' = 'a'): Action => ({
  kind: 'write',
  process,
  fact,
  how,
})

describe('the cache with every order of the steps of a few calls, with up to two or three preemptions', () => {
  it.each<[string, number, Action[]]>([
    [
      'a load, an invalidation by a tag known before loading, a read',
      3,
      [read(0, 'k1'), write(0, 'tag'), read(0, 'k1')],
    ],
    [
      'a load, an invalidation by a tag known after loading, a read',
      3,
      [read(0, 'k2'), write(0, 'tag', 'b'), read(0, 'k2')],
    ],
    ['a load, a deletion elsewhere, a strict read', 3, [read(0, 'k1'), write(1, 'key'), read(0, 'k1', true)]],
    ['a load, a value set elsewhere, a strict read', 2, [read(0, 'k1'), write(1, 'set'), read(0, 'k1', true)]],
    [
      'loads in both processes, an invalidation by pattern, a read',
      2,
      [read(0, 'k1'), read(1, 'k1'), write(1, 'pattern'), read(1, 'k1')],
    ],
  ])(
    'returns no stale value for %s',
    async (_, deviationsMax, actions) => {
      const { orders, violations } = await playAll(actions, deviationsMax)
      expect(violations).toEqual([])
      expect(orders).toBeGreaterThan(50)
    },
    limitMs,
  )

  it(
    'returns a stale value when Redis stores loads without the fence, so the check can fail',
    async () => {
      const actions = [read(0, 'k1'), write(1, 'tag'), read(0, 'k1', true)]
      const { violations } = await playAll(actions, 2, { isStoreFenced: false })
      expect(violations).not.toEqual([])
    },
    limitMs,
  )
})
