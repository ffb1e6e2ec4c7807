import type { LogRecord } from '../records/log-record.js'
import type { CompiledRule, CompiledRules } from './compile-rules.js'
import { type EditableLine, toEditable } from './editable-line.js'
import type { StepFailure } from './step.js'
import type { WorkBudget } from './work-budget.js'

/** The attribute of a line that says which rules failed, and why. The texts hold no value of the line. */
export const ERROR_ATTRIBUTE = 'millrace.transform_error'
const ERRORS_LENGTH_MAX = 2_000

/** What one rule did with a line. */
export interface RuleResult {
  readonly outcome: 'not_matched' | 'applied' | 'failed' | 'dropped' | 'sampled_out'
  /** The line after the rule; the same object as before when the rule did not match or failed. */
  readonly line: EditableLine
  /** Which step failed, from 1, and why. */
  readonly error?: string
}

/**
 * Runs one rule. A rule that fails changes nothing. `isOwned`: whether the line may be changed in place; else it stays as it is, and the result has a
 * copy.
 */
export function runRule(rule: CompiledRule, line: EditableLine, budget: WorkBudget, isOwned = false): RuleResult {
  const { match, unless, steps } = rule
  const isMatched = match(line, budget)
  if (isMatched === false) return { outcome: 'not_matched', line }
  if (isMatched !== true) return { outcome: 'failed', line, error: `match: ${isMatched.failure}` }
  const isExempt = unless(line, budget)
  if (isExempt === true) return { outcome: 'not_matched', line }
  if (isExempt !== false) return { outcome: 'failed', line, error: `unless: ${isExempt.failure}` }
  // A step that fails has changed nothing, so only rules of several steps need a copy to be undone.
  const changed = isOwned && steps.length === 1 ? line : toEditable(line)
  for (const [index, { name, run }] of steps.entries()) {
    const outcome = run(changed, budget)
    if (outcome === undefined) continue
    if (outcome === 'dropped' || outcome === 'sampled_out') return { outcome, line: changed }
    return { outcome: 'failed', line, error: describeFailure(index, name, outcome) }
  }
  return { outcome: 'applied', line: changed }
}

function describeFailure(index: number, name: string, { failure }: StepFailure): string {
  return `step ${index + 1} (${name}): ${failure}`
}

/** What all rules did with a record. */
export interface RulesResult {
  readonly outcome: 'kept' | 'dropped' | 'sampled_out'
  /** The record itself when no rule changed it. */
  readonly record: LogRecord
  readonly isFailed: boolean
}

/**
 * Runs all rules in their order. The rules after one that failed run as well; the line gets an attribute that names those that failed. Only a rule that
 * says so drops a line. The record stays as it is.
 */
export function runRules({ rules }: CompiledRules, record: LogRecord, budget: WorkBudget): RulesResult {
  budget.nextLine()
  let line = record as EditableLine
  let errors = ''
  for (const rule of rules) {
    const result = runRule(rule, line, budget, line !== record)
    line = result.line
    const { outcome } = result
    if (outcome === 'dropped' || outcome === 'sampled_out') return { outcome, record: line, isFailed: errors !== '' }
    if (outcome === 'failed' && errors.length < ERRORS_LENGTH_MAX)
      errors += `${errors === '' ? '' : '; '}rule ${rule.name}: ${result.error}`
  }
  if (errors !== '') line = withError(line, errors)
  return { outcome: 'kept', record: line, isFailed: errors !== '' }
}

/** The line with the attribute that names what failed. */
export function withError(line: LogRecord, errors: string): EditableLine {
  const flagged = toEditable(line)
  flagged.attributes[ERROR_ATTRIBUTE] = errors
  return flagged
}
