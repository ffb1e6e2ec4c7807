import { wordsOf } from '@millrace/column-store'
import { coreErrors, type SearchLogsRequest } from '@millrace/contracts'
import { LEVEL_NAMES } from '../records/severity.js'
import type { CompiledQuery, Need } from './compiled-query.js'
import { foldText } from './match-text.js'

const ALL_LEVELS = (1 << LEVEL_NAMES.length) - 1
const WORD_MAX = 32

/** What the parameters of a search ask for. @throws INVALID_REQUEST */
export function compileRequest(request: Omit<SearchLogsRequest, 'cursor' | 'limit'>): CompiledQuery {
  const { from, to, levels, services, host, traceId, query, contains } = request
  if (traceId !== '' && !/^[\da-f]{32}$/i.test(traceId))
    throw coreErrors.INVALID_REQUEST({ message: 'trace_id must be 32 hexadecimal digits' })
  const words = [...new Set(wordsOf(query))]
  if (words.length > WORD_MAX) throw coreErrors.INVALID_REQUEST({ message: `q has more than ${WORD_MAX} words` })
  if (query !== '' && words.length === 0)
    throw coreErrors.INVALID_REQUEST({ message: 'q has no word: a word is made of letters, digits and underscores' })
  const needs: Need[] = words.map((text) => ({ kind: 'text', form: 'phrase', text }))
  if (contains !== '') needs.push({ kind: 'text', form: 'substring', text: foldText(contains) })
  if (host !== '') needs.push({ kind: 'equals', column: 'host', value: host })
  if (traceId !== '') needs.push({ kind: 'equals', column: 'traceId', value: traceId.toLowerCase() })
  return {
    fromMs: from?.getTime() ?? 0,
    toMs: to?.getTime() ?? Number.MAX_SAFE_INTEGER,
    levels: levels.length === 0 ? ALL_LEVELS : levels.reduce((mask, level) => mask | levelBit(level), 0),
    services,
    needs: needs.length === 0 ? undefined : { kind: 'all', of: needs },
    matches: undefined,
  }
}

function levelBit(name: string): number {
  const index = (LEVEL_NAMES as readonly string[]).indexOf(name)
  if (index < 0) throw coreErrors.INVALID_REQUEST({ message: `level must be one of ${LEVEL_NAMES.join(', ')}` })
  return 1 << index
}
