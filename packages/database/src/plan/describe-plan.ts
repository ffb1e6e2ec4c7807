import { sanitiseSql } from '@millrace/logger'
import type { PlanNode } from './plan-node.js'

const LENGTH_MAX = 4_000

/**
 * The plan as indented lines, one for each node, without values: the planner prints bound values in conditions, so literals are masked. Partitions that are
 * read in the same way share a line with their number. At most 4,000 characters.
 */
export function describePlan(plan: PlanNode): string {
  const text = linesOf(plan).join('\n')
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}…` : text
}

function linesOf(node: PlanNode): string[] {
  const below = groupAlike(node.children.map((child) => ({ key: shapeOf(child), node: child })))
  const lines = below.flatMap(({ first, nodes }) => {
    const [head = '', ...rest] = linesOf(first)
    return [nodes > 1 ? `${head} (and ${nodes - 1} partitions more)` : head, ...rest]
  })
  return [describeNode(node), ...lines.map((line) => `  ${line}`)]
}

function describeNode(node: PlanNode): string {
  const parts = [
    node.type,
    node.relation && `on ${node.relation}`,
    node.index && `by ${node.index}`,
    node.groupKeys.length > 0 && `group ${masked(node.groupKeys.join(', '))}`,
    node.sortKeys.length > 0 && `sort ${masked(node.sortKeys.join(', '))}`,
    node.indexCondition && `index ${masked(node.indexCondition)}`,
    node.joinCondition && `join ${masked(node.joinCondition)}`,
    node.filter && `filter ${masked(node.filter)}`,
    `rows=${Math.round(node.rows)} cost=${Math.round(node.cost)}`,
  ]
  return parts.filter(Boolean).join(' ')
}

/** EXPLAIN prints arrays and JSON as string literals, so they are masked too. */
function masked(sql: string): string {
  return sanitiseSql(sql)
}

/** Equal for scans that read different partitions in the same way. */
function shapeOf(node: PlanNode): string {
  const name = (text: string | undefined) => text?.replace(/_\d{8}/, '')
  const own = [node.type, name(node.relation), name(node.index), node.filter !== undefined]
  return JSON.stringify([own, node.children.map(shapeOf)])
}

function groupAlike(items: readonly { key: string; node: PlanNode }[]): { first: PlanNode; nodes: number }[] {
  const groups = new Map<string, { first: PlanNode; nodes: number }>()
  for (const { key, node } of items) {
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { first: node, nodes: 1 })
    else group.nodes++
  }
  return [...groups.values()]
}
