import { isSlip } from '@millrace/service'
import { LOG_FLAGS } from '../records/log-record.js'
import { LEVEL_NAMES, levelIndex, severityOfText } from '../records/severity.js'
import { compileRegex } from './linear-regex.js'
import { invalidQuery, type QueryFault } from './query-errors.js'
import { type LineField, type Match, type QueryTerm, resolveField } from './query-tree.js'

const SEVERITY_MAX = 24
const ID_DIGITS = { trace_id: 32, span_id: 16 } as const

/** @throws LOG_QUERY_INVALID when a field cannot be asked in this way */
export function checkTerm({ field, match }: QueryTerm, position: number): void {
  const fault = findFault(field, match)
  if (fault !== undefined) throw invalidQuery({ position, ...fault })
}

type Fault = Omit<QueryFault, 'position'>

function findFault(field: readonly string[] | undefined, match: Match): Fault | undefined {
  if (match.kind === 'regex') {
    const fault = findRegexFault(match)
    if (fault !== undefined) return fault
  }
  if (match.kind === 'substring' && match.text === '') return { problem: 'there is no text between the stars' }
  const target = field === undefined ? undefined : resolveField(field)
  if (target?.kind === 'line') {
    const fault = findLineFault(target.name, match)
    if (fault !== undefined) return fault
  }
  const takesEmpty = target?.kind === 'line' && target.name !== 'message'
  if (match.kind === 'words' && match.text === '' && !takesEmpty)
    return {
      problem: 'there is no text in the quotation marks',
      ...(field && { suggestion: `write ${field.join('.')}="" for an empty value` }),
    }
  return undefined
}

function findRegexFault(match: Extract<Match, { kind: 'regex' }>): Fault | undefined {
  if (match.source === '')
    return { problem: 'the regular expression is empty', suggestion: 'put a text with slashes in quotation marks' }
  try {
    compileRegex(match)
    return undefined
  } catch (error) {
    return {
      problem: `the regular expression cannot be used: ${(error as Error).message}`,
      suggestion:
        'the syntax is that of RE2, without lookaround and backreferences; put a text with slashes in quotation marks',
    }
  }
}

function findLineFault(name: LineField, match: Match): Fault | undefined {
  switch (name) {
    case 'level':
      return findLevelFault(match)
    case 'severity':
      return findSeverityFault(match)
    case 'trace_id':
    case 'span_id':
      return findIdFault(name, match)
    case 'flags':
      return findFlagFault(match)
    default:
      return undefined
  }
}

function findLevelFault(match: Match): Fault | undefined {
  if (match.kind === 'exists') return undefined
  const value = exactValue(match, { takesOrder: true })
  if (value === undefined)
    return {
      problem: 'level takes the name of a level',
      suggestion: `write level:warn, level>=warn or level:(error OR fatal)`,
    }
  if (parseLevel(value) !== undefined) return undefined
  const meant = LEVEL_NAMES.find((known) => isSlip(value.toLowerCase(), known))
  return {
    problem: `there is no level ${JSON.stringify(value)}; levels are ${LEVEL_NAMES.join(', ')}`,
    ...(meant !== undefined && { suggestion: `did you mean ${meant}?` }),
  }
}

/** The index of a level that is written as one of our names or as a library writes it; undefined for other texts. */
export function parseLevel(text: string): number | undefined {
  const index = (LEVEL_NAMES as readonly string[]).indexOf(text.toLowerCase())
  if (index >= 0) return index
  const severity = severityOfText(text)
  return severity === 0 ? undefined : levelIndex(severity)
}

function findSeverityFault(match: Match): Fault | undefined {
  if (match.kind === 'exists') return undefined
  const value = exactValue(match, { takesOrder: true })
  if (value !== undefined && /^\d+$/.test(value) && Number(value) <= SEVERITY_MAX) return undefined
  return {
    problem: `severity takes a whole number from 0 to ${SEVERITY_MAX}`,
    suggestion: 'write level for names of levels',
  }
}

function findIdFault(name: keyof typeof ID_DIGITS, match: Match): Fault | undefined {
  if (match.kind === 'exists') return undefined
  const digits = ID_DIGITS[name]
  const isPrefix = match.kind === 'words' && match.isPrefix
  const value = isPrefix ? match.text : exactValue(match, { takesOrder: false })
  if (value === undefined || !/^[\da-f]*$/i.test(value) || value.length > digits)
    return { problem: `${name} takes ${digits} hexadecimal digits, or the first of them and a *` }
  if (isPrefix || value.length === digits || value === '') return undefined
  return {
    problem: `${name} has ${digits} hexadecimal digits, not ${value.length}`,
    suggestion: `write ${name}:${value}* for all that begin like this`,
  }
}

function findFlagFault(match: Match): Fault | undefined {
  if (match.kind === 'exists') return undefined
  const value = exactValue(match, { takesOrder: false })
  const names = Object.keys(LOG_FLAGS)
  if (value !== undefined && names.includes(value)) return undefined
  const meant =
    value === undefined ? undefined : names.find((known) => isSlip(value.toLowerCase(), known.toLowerCase()))
  return {
    problem: `flags takes the name of a flag: ${names.join(', ')}`,
    ...(meant !== undefined && { suggestion: `did you mean ${meant}?` }),
  }
}

/** The value that must be equal, or with `takesOrder` the one to compare with; undefined for matches of another kind. */
function exactValue(match: Match, { takesOrder }: { readonly takesOrder: boolean }): string | undefined {
  if (match.kind === 'words') return match.isPrefix ? undefined : match.text
  return match.kind === 'compare' && (takesOrder || match.operator === '=') ? match.value : undefined
}
