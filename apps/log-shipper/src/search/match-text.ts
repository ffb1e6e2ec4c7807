import { foldText, type TextNeedle, textHas } from '@millrace/column-store'
import type { LogRow, Need } from './compiled-query.js'

/** Whether a line fulfils a need. Tokens are not looked at: they only leave out chunks. */
export function meets(row: LogRow, need: Need): boolean {
  switch (need.kind) {
    case 'text':
      return lineHas(row, need)
    case 'equals':
      return row[need.column] === need.value
    case 'token':
      return true
    case 'any':
      return need.of.some((one) => meets(row, one))
    case 'all':
      return need.of.every((one) => meets(row, one))
  }
}

function lineHas(row: LogRow, need: Extract<Need, { kind: 'text' }>): boolean {
  if (need.in !== 'attributes' && textHas(foldText(row.message), need)) return true
  return need.in !== 'message' && attributesHave(row.attributesJson, need)
}

/** Whether a value of the attributes, nested ones included, has the text. */
export function attributesHave(json: string, needle: TextNeedle): boolean {
  for (const value of valuesOf(json)) if (textHas(foldText(value), needle)) return true
  return false
}

/** The values of attributes as texts, nested ones included. */
function* valuesOf(json: string): Generator<string> {
  if (json === '{}') return
  const left: unknown[] = [JSON.parse(json)]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'object' && value !== null) left.push(...Object.values(value))
    else if (value !== null) yield String(value as string | number | boolean)
  }
}
