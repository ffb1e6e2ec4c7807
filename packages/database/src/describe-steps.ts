import { sanitiseSql } from './sanitise-sql.js'
import { isCopy, type Step } from './statement.js'

/** The first ten, without what may be personal data. */
export function describeSteps(steps: readonly Step[]): string[] {
  return steps.slice(0, 10).map((step) => sanitiseSql(describeStep(step)))
}

/** What a step is called in logs: its text, or the target of its COPY. */
function describeStep(step: Step): string {
  return isCopy(step) ? `copy ${step.copy.table} from stdin` : step.text
}

const CONTROL = /^(begin|commit|rollback|savepoint|release)\b/

/** Whether a step only opens or ends something. */
export function isControl(step: Step): boolean {
  return !isCopy(step) && CONTROL.test(step.text)
}

/** What a round trip is made for. */
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

/** A closed set: the name of a prepared statement, or the verb. */
export function operationOf(step: Step): string {
  if (isCopy(step)) return 'copy'
  if (step.name) return step.name
  const verb = /^\s*([a-z]+)/i.exec(step.text)?.[1]?.toLowerCase() ?? 'other'
  return VERBS.has(verb) ? verb : 'other'
}
