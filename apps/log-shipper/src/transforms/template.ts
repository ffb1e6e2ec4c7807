import { type EditableLine, type FieldPath, readField, toText } from './editable-line.js'
import type { RuleFaults } from './rule-faults.js'
import { parseField } from './rule-reader.js'
import type { StepFailure } from './step.js'
import type { WorkBudget } from './work-budget.js'

/** The text that a template gives for a line. */
export type Template = (line: EditableLine, budget: WorkBudget) => string | StepFailure

const RESULT_LENGTH_MAX = 65_536

/**
 * A text with fields of the line: `{{service}} in {{attributes.region}}`. A field that the line does not have is empty; `\{{` stands for two braces.
 * Notes a mistake and returns undefined when it cannot be read.
 */
export function compileTemplate(source: string, at: string, faults: RuleFaults): Template | undefined {
  const parts: (string | FieldPath)[] = []
  let text = ''
  for (let i = 0; i < source.length; i++) {
    if (source.startsWith('\\{{', i)) {
      text += '{{'
      i += 2
    } else if (source.startsWith('{{', i)) {
      const end = source.indexOf('}}', i)
      if (end < 0) return faults.add(at, 'a field that begins with {{ does not end with }}', i)
      const name = source.slice(i + 2, end).trim()
      const field = parseField(name)
      if (typeof field === 'string') return faults.add(at, `${name.slice(0, 100)} ${field}`, i + 2)
      parts.push(text, field)
      text = ''
      i = end + 1
    } else text += source[i]
  }
  parts.push(text)
  return (line, budget) => {
    let result = ''
    for (const part of parts) {
      result += typeof part === 'string' ? part : toText(readField(line, part))
      if (result.length > RESULT_LENGTH_MAX) return TOO_LONG
    }
    return budget.takeWrite(result.length) ? result : WROTE_TOO_MUCH
  }
}

const TOO_LONG: StepFailure = { failure: `a template gives more than ${RESULT_LENGTH_MAX} characters` }
/** The rules together made more of one line than a line may have. */
export const WROTE_TOO_MUCH: StepFailure = { failure: 'the rules write more than 2,097,152 characters for this line' }
