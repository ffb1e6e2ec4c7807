import { describe, expect, it } from '@jest/globals'
import { parsePlan } from '../plan/plan-node.js'
import { adviseIndexes, conjuncts, type TableFacts } from './advise-index.js'

const facts: TableFacts = {
  rows: 1_000_000,
  pages: 20_000,
  distinct: new Map([
    ['tenant_id', 10],
    ['user_id', 50_000],
    ['state', 5],
    ['placed_at', 900_000],
    ['note', 1],
  ]),
  indexes: [['id'], ['state', 'tenant_id']],
}

/** The plan of a scan of `orders` with this filter, below a sort when keys are given. */
function planOf(filter: string, sortKeys: string[] = [], relation = 'orders') {
  const scan = {
    'Node Type': 'Seq Scan',
    'Relation Name': relation,
    Filter: filter,
    'Total Cost': 30_000,
    'Plan Rows': 5,
  }
  const sort = { 'Node Type': 'Sort', 'Sort Key': sortKeys, 'Total Cost': 30_010, 'Plan Rows': 5, Plans: [scan] }
  const plan = parsePlan([{ Plan: sortKeys.length === 0 ? scan : sort }])
  if (plan === undefined) throw new Error('no plan')
  return plan
}

const tableOf = (relation: string) => (relation.startsWith('orders') ? { table: 'orders', facts } : undefined)
const columnsFor = (filter: string, sortKeys?: string[]) =>
  adviseIndexes(planOf(filter, sortKeys), tableOf).map(({ columns }) => columns)

describe('the index advice', () => {
  it.each<[string, string, string[], string[][]]>([
    ['an equal column', '(user_id = $1)', [], [['user_id']]],
    [
      'equal columns, the most selective first',
      '((tenant_id = $1) AND (user_id = $2))',
      [],
      [['user_id', 'tenant_id']],
    ],
    [
      'a range behind them',
      '((placed_at >= $1) AND (placed_at < $2) AND (user_id = $3))',
      [],
      [['user_id', 'placed_at']],
    ],
    ['the order behind them', '(user_id = $1)', ['placed_at DESC'], [['user_id', 'placed_at']]],
    ['the order before the range', '((user_id = $1) AND (note > $2))', ['placed_at'], [['user_id', 'placed_at']]],
    [
      'nothing for a range alone, because its share of the rows is not known',
      '((placed_at >= $1) AND (placed_at < $2))',
      [],
      [],
    ],
    ['one of a list', `(orders.user_id = ANY ('{1,2}'::integer[]))`, [], [['user_id']]],
    ['names in quotes and casts', `(("user_id")::text = $1)`, [], [['user_id']]],
    [
      'the columns that row level security compares',
      '((tenant_id = (InitPlan 1).col1) AND (user_id = $1))',
      [],
      [['user_id', 'tenant_id']],
    ],
    ['nothing for an expression', '(lower(user_id) = $1)', [], []],
    ['nothing for another column', '(user_id = note)', [], []],
    ['nothing for alternatives', '((user_id = $1) OR (state = $2))', [], []],
    ['nothing where an index has these columns first', '((state = $1) AND (tenant_id = $2))', [], []],
    ['nothing that would find half of the table', '(note = $1)', [], []],
  ])('proposes %s', (_title, filter, sortKeys, expected) => {
    expect(columnsFor(filter, sortKeys)).toEqual(expected)
  })

  it('carries the cost of the scan and the cost with the index', () => {
    const [advice] = adviseIndexes(planOf('(user_id = $1)'), tableOf)
    expect(advice).toMatchObject({ table: 'orders', cost: 30_000 })
    // 20 rows, each on a page of its own.
    expect(advice?.cost_with_index).toBeCloseTo(8 + 20 * 4.015)
  })

  it('proposes one index for all partitions of a table, and none for a small table', () => {
    const scan = (day: number) => ({
      'Node Type': 'Seq Scan',
      'Relation Name': `orders_2026112${day}`,
      Filter: '(user_id = $1)',
      'Total Cost': 1000,
      'Plan Rows': 1,
    })
    const plan = parsePlan([{ Plan: { 'Node Type': 'Append', Plans: [scan(1), scan(2)] } }])
    if (plan === undefined) throw new Error('no plan')
    expect(adviseIndexes(plan, tableOf)).toMatchObject([{ table: 'orders', cost: 2000 }])
    expect(adviseIndexes(plan, () => ({ table: 'orders', facts: { ...facts, pages: 100 } }))).toEqual([])
  })
})

describe('the conditions of a filter', () => {
  it.each([
    ['(a = 1)', ['a = 1']],
    ['((a = 1) AND (b > 2))', ['a = 1', 'b > 2']],
    [`((a = ') AND (') AND ((b = 1) OR (c = 2)))`, [`a = ') AND ('`, '(b = 1) OR (c = 2)']],
    ['(f(a) AND g(b))', ['f(a)', 'g(b)']],
  ])('are found in %s', (filter, parts) => {
    expect(conjuncts(filter)).toEqual(parts)
  })
})
