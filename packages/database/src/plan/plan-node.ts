/** One node of a plan, from EXPLAIN (FORMAT JSON). Conditions and keys are SQL as the server prints it and may contain values. */
export interface PlanNode {
  /** For example "Index Scan". */
  readonly type: string
  readonly relation: string | undefined
  readonly index: string | undefined
  /** Rows that the planner expects from one run of the node. */
  readonly rows: number
  /** In the planner's unit, children included. */
  readonly cost: number
  readonly indexCondition: string | undefined
  /** Condition that is checked after a row was read. */
  readonly filter: string | undefined
  readonly joinCondition: string | undefined
  readonly sortKeys: readonly string[]
  readonly groupKeys: readonly string[]
  readonly children: readonly PlanNode[]
}

interface RawNode {
  readonly [key: string]: unknown
  readonly Plans?: readonly RawNode[]
}

/** Parses the result of EXPLAIN (FORMAT JSON), given as text or as parsed JSON; undefined when it is no plan, as for a utility statement. */
export function parsePlan(answer: unknown): PlanNode | undefined {
  const parsed: unknown = typeof answer === 'string' ? JSON.parse(answer) : answer
  const root = (parsed as readonly { Plan?: RawNode }[] | null)?.[0]?.Plan
  return root === undefined ? undefined : toNode(root)
}

function toNode(raw: RawNode): PlanNode {
  const text = (key: string) => (typeof raw[key] === 'string' ? raw[key] : undefined)
  const list = (key: string) => (Array.isArray(raw[key]) ? raw[key].map(String) : [])
  return {
    type: text('Node Type') ?? 'Unknown',
    relation: text('Relation Name') ?? text('CTE Name') ?? text('Function Name'),
    index: text('Index Name'),
    rows: Number(raw['Plan Rows'] ?? 0),
    cost: Number(raw['Total Cost'] ?? 0),
    indexCondition: text('Index Cond'),
    filter: text('Filter'),
    joinCondition: text('Hash Cond') ?? text('Merge Cond') ?? text('Join Filter'),
    sortKeys: list('Sort Key'),
    groupKeys: list('Group Key'),
    children: (raw.Plans ?? []).map(toNode),
  }
}
