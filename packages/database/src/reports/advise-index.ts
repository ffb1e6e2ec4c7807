import type { PlanNode } from '../plan/plan-node.js'

/** Statistics of a table; partitions are added up. */
export interface TableFacts {
  readonly rows: number
  readonly pages: number
  /** Number of distinct values by column, if known. */
  readonly distinct: ReadonlyMap<string, number>
  /** Key columns of the existing B-trees. */
  readonly indexes: readonly (readonly string[])[]
}

/** An index that PostgreSQL would use for a slow statement. */
export interface IndexAdvice {
  readonly table: string
  readonly columns: readonly string[]
  /** Cost of reading the rows by the current plan, in the planner's unit. */
  readonly cost: number
  /** Cost of reading them by the index. */
  readonly cost_with_index: number
}

/** Smaller tables (8 MiB) are scanned as fast as an index is read. */
const PAGES_MIN = 1024
/** https://www.postgresql.org/docs/current/runtime-config-query.html, the defaults. */
const COST = { randomPage: 4, tuple: 0.01, indexTuple: 0.005 }
/** The planner's selectivity of a range with unknown bounds: DEFAULT_RANGE_INEQ_SEL and DEFAULT_INEQ_SEL in selfuncs.h. */
const RANGE_SHARE = { both: 0.005, one: 1 / 3 }
/** More columns make the index larger than they make it better. */
const COLUMNS_MAX = 4
/** Minimum ratio of both costs for an advice. */
const GAIN_MIN = 2

/**
 * Proposes indexes for scans of large tables that discard rows: columns compared for equality, most selective first, then the columns of the sort order, or
 * else the range. `tableOf` returns the table of a partition and its facts. Costs are estimated from statistics and ignore the cost of writes.
 */
export function adviseIndexes(
  plan: PlanNode,
  tableOf: (relation: string) => { table: string; facts: TableFacts } | undefined,
): IndexAdvice[] {
  const advice = new Map<string, IndexAdvice>()
  for (const { scan, sortKeys } of scansOf(plan, [])) {
    const known = tableOf(scan.relation ?? '')
    if (known === undefined || known.facts.pages < PAGES_MIN) continue
    const { table, facts } = known
    const columns = columnsOf(scan, sortKeys, facts)
    if (columns === undefined || facts.indexes.some((index) => beginsAlike(index, columns))) continue
    const key = `${table} ${columns.names.join()}`
    // The costs of scans of all partitions are added; the index is estimated for the whole table.
    const cost = (advice.get(key)?.cost ?? 0) + scan.cost
    advice.set(key, { table, columns: columns.names, cost, cost_with_index: costByIndex(columns.share, facts) })
  }
  return [...advice.values()].filter((one) => one.cost >= GAIN_MIN * one.cost_with_index)
}

/** Scans that discard rows, each with the sort order of the nodes directly above it. */
function* scansOf(
  node: PlanNode,
  sortKeys: readonly string[],
): Generator<{ scan: PlanNode; sortKeys: readonly string[] }> {
  if (node.relation !== undefined && node.filter !== undefined && node.type.endsWith('Scan'))
    yield { scan: node, sortKeys }
  const below = node.type.endsWith('Sort') ? node.sortKeys : PASSING.has(node.type) ? sortKeys : []
  for (const child of node.children) yield* scansOf(child, below)
}

/** The conditions of the scan: those checked for each row and those of the index. */
function conditionsOf(scan: PlanNode): string[] {
  const indexed = scan.children.map((child) => child.indexCondition)
  return [scan.filter, scan.indexCondition, ...indexed].flatMap((text) => (text === undefined ? [] : conjuncts(text)))
}

const PASSING = new Set(['Append', 'Gather', 'Gather Merge', 'Merge Append', 'Result', 'Subquery Scan'])

interface IndexColumns {
  readonly names: readonly string[]
  /** Number of names that are compared for equality. */
  readonly equal: number
  /** Share of the table's rows that the index would return. */
  readonly share: number
}

function columnsOf(scan: PlanNode, sortKeys: readonly string[], facts: TableFacts): IndexColumns | undefined {
  const conditions = readConditions(conditionsOf(scan), facts)
  const distinctOf = (name: string) => facts.distinct.get(name) ?? 1
  const equal = [...conditions.equal].sort((a, b) => distinctOf(b) - distinctOf(a))
  const sorted = sortKeys.map((key) => columnIn(key, facts)).filter((name) => name !== undefined)
  const isOrdered = sorted.length > 0 && sorted.length === sortKeys.length
  const [range] = conditions.ranges
  const tail = isOrdered ? sorted : range === undefined ? [] : [range.name]
  const names = [...new Set([...equal, ...tail])].slice(0, COLUMNS_MAX)
  if (equal.length === 0 && range === undefined) return undefined
  const isRangeUsed = range !== undefined && names[equal.length] === range.name
  const equalShare = equal.reduce((share, name) => share / Math.max(1, distinctOf(name)), 1)
  const rangeShare = isRangeUsed ? (range.isClosed ? RANGE_SHARE.both : RANGE_SHARE.one) : 1
  return { names, equal: equal.length, share: equalShare * rangeShare }
}

/** Comparisons of a column of the table with a value. Other conditions are ignored. */
function readConditions(conditions: readonly string[], facts: TableFacts) {
  const equal = new Set<string>()
  const bounds = new Map<string, Set<string>>()
  for (const condition of conditions) {
    const [, left = '', operator = '', right = ''] = COMPARISON.exec(condition) ?? []
    const name = columnIn(left, facts)
    if (name === undefined || !VALUE.test(right)) continue
    if (operator === '=') equal.add(name)
    else bounds.set(name, (bounds.get(name) ?? new Set()).add(operator[0] as string))
  }
  const ranges = [...bounds].map(([name, sides]) => ({ name, isClosed: sides.size === 2 }))
  return { equal, ranges: ranges.filter(({ name }) => !equal.has(name)) }
}

const COMPARISON = /^(\((?:\w+\.)?"?\w+"?\)|(?:\w+\.)?"?\w+"?)(?:::\w+)? (=|<=|>=|<|>) (.+)$/
const VALUE = /^(?:ANY )?\(*(?:\$\d+|InitPlan|'|-?\d|true|false|now\(\))/

function columnIn(text: string, facts: TableFacts): string | undefined {
  const name = /^\(?(?:\w+\.)?"?(\w+)"?\)?(?: DESC)?(?: NULLS \w+)?$/.exec(text)?.[1]
  return name !== undefined && facts.distinct.has(name) ? name : undefined
}

/** The conditions joined by AND: "((a = 1) AND (b > 2))" has "a = 1" and "b > 2". An OR is one condition. */
export function conjuncts(filter: string): string[] {
  const text = unwrap(filter)
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "'") at = closingQuote(text, at)
    else if (text[at] === '(') depth++
    else if (text[at] === ')') depth--
    else if (depth === 0 && text.startsWith(' AND ', at)) {
      parts.push(unwrap(text.slice(from, at)))
      from = at + 5
    }
  }
  return [...parts, unwrap(text.slice(from))]
}

function closingQuote(text: string, from: number): number {
  const end = text.indexOf("'", from + 1)
  return end < 0 ? text.length : end
}

/** Removes parentheses around the whole text. */
function unwrap(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "'") at = closingQuote(text, at)
    else if (text[at] === '(') depth++
    else if (text[at] === ')' && --depth === 0 && at < text.length - 1) return text
  }
  return unwrap(text.slice(1, -1))
}

/** Whether an existing index has the same first columns, those compared for equality in any order: the planner knows it and does not use it. */
function beginsAlike(index: readonly string[], { names, equal }: IndexColumns): boolean {
  const head = new Set(index.slice(0, equal))
  return (
    names.slice(0, equal).every((name) => head.has(name)) &&
    names.slice(equal).every((name, at) => index[equal + at] === name)
  )
}

/** Assumes one page for each row, at most all pages, and the descent of the tree. */
function costByIndex(share: number, { rows, pages }: TableFacts): number {
  const found = Math.max(1, rows * share)
  return 2 * COST.randomPage + Math.min(found, pages) * COST.randomPage + found * (COST.tuple + COST.indexTuple)
}
