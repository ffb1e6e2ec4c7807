import { isDeepStrictEqual } from 'node:util'
import type { Masker } from '@millrace/masking'
import type { LogRecord } from '../records/log-record.js'
import { maskRecord } from '../records/mask-record.js'
import { limitRecord } from '../records/record-limits.js'
import type { CompiledRules } from './compile-rules.js'
import { type EditableLine, toEditable } from './editable-line.js'
import { ERROR_ATTRIBUTE, type RuleResult, runRule, withError } from './run-rules.js'
import { showLine } from './sample-line.js'
import { WorkBudget } from './work-budget.js'

type Shown = ReturnType<typeof showLine>

/** What the rules do with one sample. All lines in it are masked and limited as stored ones are. */
export interface TriedLine {
  readonly outcome: 'kept' | 'dropped' | 'sampled_out'
  readonly before: Shown
  /** Null when a rule drops the line. */
  readonly after: Shown | null
  /** The rules that matched, in their order. */
  readonly rules: readonly TriedRule[]
}

interface TriedRule {
  readonly rule: string
  readonly outcome: Exclude<RuleResult['outcome'], 'not_matched'>
  readonly error?: string
  /** Fields that the rule changed, with both values; null for an absent attribute. */
  readonly changes: Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>>
}

export interface TryDeps {
  readonly masker: Pick<Masker, 'text' | 'value'>
  /** ms since 1970. */
  readonly nowMs: number
}

/** Runs rules on samples and stores nothing. */
export function tryRules({ rules }: CompiledRules, records: readonly LogRecord[], deps: TryDeps): TriedLine[] {
  const budget = new WorkBudget()
  const show = (line: EditableLine) => showLine(limitRecord(maskRecord(line, deps.masker), deps.nowMs))
  return records.map((record) => {
    budget.nextLine()
    let line = toEditable(record)
    const before = show(line)
    let shown = before
    const tried: TriedRule[] = []
    const errors: string[] = []
    for (const rule of rules) {
      const { outcome, line: after, error } = runRule(rule, line, budget)
      if (outcome === 'not_matched') continue
      const shownAfter = after === line ? shown : show(after)
      const changes = outcome === 'applied' ? compare(shown, shownAfter) : {}
      tried.push({ rule: rule.name, outcome, ...(error !== undefined && { error }), changes })
      if (outcome === 'dropped' || outcome === 'sampled_out') return { outcome, before, after: null, rules: tried }
      if (error !== undefined) errors.push(`rule ${rule.name}: ${error}`)
      line = after
      shown = shownAfter
    }
    const after = errors.length === 0 ? shown : show(withError(line, errors.join('; ')))
    return { outcome: 'kept', before, after, rules: tried }
  })
}

function compare(before: Shown, after: Shown): TriedRule['changes'] {
  const changes: Record<string, { before: unknown; after: unknown }> = {}
  const [first, second] = [flatten(before), flatten(after)]
  for (const name of new Set([...first.keys(), ...second.keys()])) {
    const values = { before: first.get(name) ?? null, after: second.get(name) ?? null }
    if (!isDeepStrictEqual(values.before, values.after)) changes[name] = values
  }
  return changes
}

function flatten({ attributes, ...fields }: Shown): Map<string, unknown> {
  const own = Object.entries(attributes as Readonly<Record<string, unknown>>)
  return new Map([
    ...Object.entries(fields),
    ...own.flatMap(([name, value]): [string, unknown][] =>
      name === ERROR_ATTRIBUTE ? [] : [[`attributes.${name}`, value]],
    ),
  ])
}
