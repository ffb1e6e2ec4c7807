import { sanitiseSql } from '@millrace/logger'
import { isCopy, type Step } from './statement.js'

/** The texts of the first ten steps without literals, which may be personal data. */
export function describeSteps(steps: readonly Step[]): string[] {
  return steps.slice(0, 10).map((step) => sanitiseSql(describeStep(step)))
}

/** The text of a step for logs: of a COPY its target. */
function describeStep(step: Step): string {
  return isCopy(step) ? `copy ${step.copy.table} from stdin` : step.text
}

const CONTROL = /^(begin|commit|rollback|savepoint|release)\b/

/** Whether a step only begins or ends a transaction or a savepoint. */
export function isControl(step: Step): boolean {
  return !isCopy(step) && CONTROL.test(step.text)
}

/** The first step of a round trip that does something else than begin or end a transaction. */
export function mainStep(steps: readonly Step[]): Step | undefined {
  return steps.find((step) => !isControl(step)) ?? steps[0]
}

const VERBS = new Set([
  'select',
  'insert',
  'update',
  'delete',
  'with',
  'merge',
  'copy',
  'create',
  'alter',
  'drop',
  'listen',
  'commit',
  'rollback',
])

/** The name of a prepared statement, or the first word of its text. A closed set, fit for metric labels. */
export function operationOf(step: Step): string {
  if (isCopy(step)) return 'copy'
  if (step.name) return step.name
  const verb = /^\s*([a-z]+)/i.exec(step.text)?.[1]?.toLowerCase() ?? 'other'
  return VERBS.has(verb) ? verb : 'other'
}
