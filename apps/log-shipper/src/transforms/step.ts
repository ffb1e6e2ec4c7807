import type { EditableLine } from './editable-line.js'
import type { WorkBudget } from './work-budget.js'

/** Why a step could not be done. It never holds a value of the line. */
export interface StepFailure {
  readonly failure: string
}

/** What a step says about its line: undefined when the next step follows. */
export type StepOutcome = 'dropped' | 'sampled_out' | StepFailure | undefined

/** One step of a rule. It changes the line, or returns a failure, after which the rule is undone. It does not throw. */
export type Step = (line: EditableLine, budget: WorkBudget) => StepOutcome

/** Whether a line has what a condition asks for. */
export type Condition = (line: EditableLine, budget: WorkBudget) => boolean | StepFailure
