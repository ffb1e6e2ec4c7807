import { createQueryRandom } from '../data/generate.mjs'
import { createDraws, SHAPES } from './shapes.mjs'

const DASHBOARDS = 100
const HOUR = 3_600_000

/**
 * The panels of some dashboards as queries, the most popular first: two thirds over ranges that are closed, one third up to this moment. What a
 * dashboard asks is what rollups answer, now and then a user or a funnel.
 */
export function createDashboards({ seed, rows, endMs }) {
  const random = createQueryRandom(seed)
  const draws = createDraws({ random, rows, endMs })
  const panels = SHAPES.filter(({ set, kind }) => set === 'rollup' && kind !== 'daily')
  const rare = SHAPES.filter(({ set, kind }) => kind !== 'timeline' && set === 'user')
  return Array.from({ length: DASHBOARDS * 4 }, (_, index) => {
    const { to, ...query } = random.pick(index % 20 === 19 ? rare : panels).draw(draws)
    if (index % 3 !== 0) return { ...query, to }
    // Up to this moment, over as many days: the start stays where it is while the dashboard is open.
    const fromMs = Math.floor((endMs - (Date.parse(to) - Date.parse(query.from))) / HOUR) * HOUR
    return { ...query, from: new Date(fromMs).toISOString() }
  })
}
