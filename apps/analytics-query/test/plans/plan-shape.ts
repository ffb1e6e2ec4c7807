import { type Database, explainSteps } from '@millrace/database'
import type { RecordedStatement } from './record-statements.js'

interface RawNode {
  readonly 'Node Type': string
  readonly 'Parent Relationship'?: string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'CTE Name'?: string
  readonly Alias?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly RawNode[]
}

/** How a statement is run: its plan without what differs between machines and versions. */
export interface PlanShape {
  /** Indented lines, one a node. */
  readonly lines: readonly string[]
  /** Day partitions of events that are read from end to end. */
  readonly scannedPartitions: readonly string[]
}

/** Names of partitions and of their indexes, and what their parents are called. */
export type Parents = ReadonlyMap<string, string>

export async function readParents(database: Database): Promise<Parents> {
  const { rows } = await database.query<{ child: string; parent: string }>(
    `select i.inhrelid::regclass::text as child, i.inhparent::regclass::text as parent from pg_inherits i`,
  )
  return new Map(rows.map(({ child, parent }) => [child, parent]))
}

/** What planning depends on, as on a server that we start. */
const SETTINGS = {
  random_page_cost: '4',
  seq_page_cost: '1',
  effective_cache_size: '4GB',
  work_mem: '4MB',
  max_parallel_workers_per_gather: '2',
  jit: 'off',
  enable_seqscan: 'on',
} as const

/** Asks for the plan as the tenant who ran the statement, with its values, without running it. */
export async function readShape(
  database: Database,
  { tenantId, statement }: RecordedStatement,
  parents: Parents,
): Promise<PlanShape> {
  const rows = await database.withTenant(tenantId, async (tx) => {
    for (const setting of Object.entries(SETTINGS)) await tx.query('select set_config($1, $2, true)', setting)
    const results = await tx.pipeline(explainSteps(statement))
    return results.flatMap((result) => result.rows)
  })
  const answer = rows.find((row): row is { 'QUERY PLAN': [{ Plan: RawNode }] } => 'QUERY PLAN' in row)
  if (answer === undefined) throw new Error(`no plan came for ${statement.text}`)
  const root = answer['QUERY PLAN'][0].Plan
  const scannedPartitions = [...walk(root)]
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => node['Relation Name'] ?? '')
    .filter((name) => name === 'events' || parents.get(name) === 'events')
  return { lines: linesOf(root, parents), scannedPartitions }
}

function* walk(node: RawNode): Generator<RawNode> {
  yield node
  for (const child of node.Plans ?? []) yield* walk(child)
}

/**
 * Nodes that only pass rows on, or come and go with the version, the number of processors or of partitions: an Append of one child is left out by
 * the planner, Gather needs a second processor, Memoize and Materialize cache.
 */
const TRANSPARENT = new Set([
  'Append',
  'Merge Append',
  'Gather',
  'Gather Merge',
  'Materialize',
  'Memoize',
  'Result',
  'Subquery Scan',
  'Hash',
])

const JOINS = new Set(['Nested Loop', 'Hash Join', 'Merge Join'])

function linesOf(node: RawNode, parents: Parents): string[] {
  const type = node['Node Type']
  if (isCatalogLookup(node)) return ['look-up in the catalog']
  const children = (node.Plans ?? []).filter((child) => !isPart(child)).map((child) => linesOf(child, parents))
  // Partitions that are read in the same way are one.
  const below = [...new Set(children.map((lines) => lines.join('\n')))].filter((text) => text !== '')
  // Which side of a join is read first, and how, is a matter of a few rows more or less.
  if (JOINS.has(type)) return ['join', ...indent(below.sort())]
  // So is whether rows are sorted or hashed to be aggregated.
  if (type === 'Aggregate') return ['aggregate', ...indent(below.map(withoutSort))]
  if (TRANSPARENT.has(type)) return below.flatMap((text) => text.split('\n'))
  return [describe(node, parents), ...indent(below)]
}

function withoutSort(text: string): string {
  const [head, ...rest] = text.split('\n')
  return head === 'sort' ? rest.map((line) => line.slice(2)).join('\n') : text
}

function indent(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.split('\n')).map((line) => `  ${line}`)
}

function describe(node: RawNode, parents: Parents): string {
  switch (node['Node Type']) {
    case 'Seq Scan':
      return `sequential scan of ${parentOf(node['Relation Name'], parents)}`
    case 'Index Scan':
    case 'Index Only Scan':
    case 'Bitmap Heap Scan':
      return indexScan(node, parents)
    case 'Function Scan':
      return `function as ${node.Alias}`
    case 'CTE Scan':
      return `read of ${node['CTE Name']}`
    case 'Incremental Sort':
      return 'sort'
    default:
      return node['Node Type'].toLowerCase()
  }
}

/** Whether an index is read row by row or by way of a bitmap depends on how many rows are expected. */
function indexScan(node: RawNode, parents: Parents): string {
  const names = [...new Set(indexesBelow(node).map((scan) => indexOf(scan, parents)))].sort()
  return `index scan of ${parentOf(node['Relation Name'], parents)} by ${names.join(' and ')}`
}

/** The node's own, or those of its bitmaps; not those of subplans. */
function indexesBelow(node: RawNode): RawNode[] {
  if (node['Index Name'] !== undefined) return [node]
  return (node.Plans ?? []).filter((child) => child['Node Type'].startsWith('Bitmap')).flatMap(indexesBelow)
}

function parentOf(name = '', parents: Parents): string {
  return parents.get(name) ?? name
}

/** The index of the parent, with the columns that it is searched by. */
function indexOf(node: RawNode, parents: Parents): string {
  const name = node['Index Name'] ?? ''
  const own = parents.get(name) ?? name.replace(/_\d{8}/, '')
  return `${own} (${searchedColumns(node['Index Cond'] ?? '')})`
}

/** How the server's own tables are read depends on whatever else is in them. */
function isCatalogLookup(node: RawNode): boolean {
  const relations = [...walk(node)].flatMap((child) => child['Relation Name'] ?? [])
  return relations.length > 0 && relations.every((name) => name.startsWith('pg_'))
}

/** Columns stand to the left of the operators; values are literals or come from outside of the relation. */
function searchedColumns(condition: string): string {
  const matches = condition
    .replace(/'(?:[^']|'')*'/g, '?')
    .matchAll(/\(\(?(?:\w+\.)?"?(\w+)"?\)?(?:::\w+)? (?:=|<|>|<=|>=|IS)/g)
  return [...new Set(Array.from(matches, (match) => match[1]))].join(', ')
}

/** Bitmaps belong to their scan's line; row level security asks for the tenant once, before anything is read. */
function isPart(node: RawNode): boolean {
  const isTenantLookup = node['Parent Relationship'] === 'InitPlan' && node['Node Type'] === 'Result' && !node.Plans
  return isTenantLookup || node['Node Type'].startsWith('Bitmap Index') || /^Bitmap(And|Or)$/.test(node['Node Type'])
}
