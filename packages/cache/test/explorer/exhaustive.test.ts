import { describe, expect, it } from '@jest/globals'
import { type Action, World, type WorldOptions } from './world.js'

/** Both processes have compared with Redis once before the orders begin to differ: two questions, two answers. */
const startSteps = 4
/** A second or two of work; a busy machine takes its time. */
const limitMs = 300_000

interface Turn {
  readonly taken: number
  readonly of: number
}

/**
 * Plays every order of steps in which, at most `deviationsMax` times, something else comes next than the oldest possible step, or a call begins before the one
 * before it has ended; returns how many orders there are and what was wrong in them. The races of two calls need one or two such
 * exceptions. Time moves only when nothing else can happen.
 */
async function playAll(actions: readonly Action[], deviationsMax: number, options: Partial<WorldOptions> = {}) {
  const violations = new Set<string>()
  let orders = 0
  let path: Turn[] | undefined = []
  while (path !== undefined) {
    const turns: Turn[] = []
    let step = 0
    const choose = (count: number) => {
      // The last of the possible steps is time.
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

/** The next order, depth first: the last turn that can still be taken otherwise is. */
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
