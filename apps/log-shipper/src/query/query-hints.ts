import { isSlip } from '@millrace/service'
import { openBatch } from '../batch/log-batch.js'
import { rowsOfBatch } from '../search/log-rows.js'
import type { TailSnapshot } from '../tail/memory-tail.js'
import { LINE_FIELDS, type QueryNode, resolveField } from './query-tree.js'

const SAMPLE_LINES = 500
const KEYS_MAX = 5000

/** Advice for a query that found nothing: fields that may be misspelled names of others. Names of attributes come from lines in memory. */
export function hintsFor(node: QueryNode, snapshot: Pick<TailSnapshot, 'batches'>): string[] {
  const asked = new Set<string>()
  collectPaths(node, asked)
  if (asked.size === 0) return []
  const known = new Set<string>(LINE_FIELDS)
  for (const path of samplePaths(snapshot)) known.add(path)
  return [...asked].flatMap((name) => {
    if (known.has(name)) return []
    const meant = [...known].find((one) => isSlip(name.toLowerCase(), one.toLowerCase()))
    return meant === undefined ? [] : [`no line in memory has the attribute ${name}; did you mean ${meant}?`]
  })
}

function collectPaths(node: QueryNode, into: Set<string>): void {
  if (node.kind === 'not') collectPaths(node.node, into)
  if (node.kind === 'and' || node.kind === 'or') for (const one of node.nodes) collectPaths(one, into)
  if (node.kind !== 'term' || node.field === undefined) return
  const target = resolveField(node.field)
  if (target.kind === 'attribute') into.add(target.path.join('.'))
}

function samplePaths({ batches }: Pick<TailSnapshot, 'batches'>): Set<string> {
  const paths = new Set<string>()
  let left = SAMPLE_LINES
  for (const batch of batches.slice(-SAMPLE_LINES).reverse()) {
    if (left <= 0) break
    const rows = rowsOfBatch(openBatch(batch.bytes), batch)
    for (let index = 0; index < rows.count && left > 0; index++, left--)
      addPaths(JSON.parse(rows.row(index).attributesJson) as object, '', paths)
  }
  return paths
}

function addPaths(value: object, prefix: string, into: Set<string>): void {
  for (const [key, member] of Object.entries(value)) {
    if (into.size >= KEYS_MAX) return
    const path = prefix === '' ? key : `${prefix}.${key}`
    into.add(path)
    if (typeof member === 'object' && member !== null && !Array.isArray(member)) addPaths(member as object, path, into)
  }
}
