import { foldText } from '@millrace/column-store'

import { coreErrors, type SearchLogsRequest } from '@millrace/contracts'
import { LEVEL_NAMES } from '../records/severity.js'
import type { CompiledQuery, Need } from '../search/compiled-query.js'
import { type CompiledConditions, compileQuery } from './compile-query.js'
import { ALL_LEVELS } from './match-term.js'
import { parseQuery } from './parse-query.js'

/** The parameters that say which lines are meant. All of them must hold. */
export type LineConditions = Pick<
  SearchLogsRequest,
  'from' | 'to' | 'levels' | 'services' | 'host' | 'traceId' | 'query' | 'contains'
>

/** What the parameters of a search ask for. @throws INVALID_REQUEST, LOG_QUERY_INVALID */
export function compileRequest({ from, to, levels, services, query, ...more }: LineConditions): CompiledQuery {
  const asked = compileQuery(parseQuery(query))
  const levelsAsked = levels.length === 0 ? ALL_LEVELS : levels.reduce((mask, level) => mask | levelBit(level), 0)
  const needs = [...(asked.needs === undefined ? [] : [asked.needs]), ...needsOf(more)]
  const both = intersect(services, asked.services)
  return {
    fromMs: from?.getTime() ?? 0,
    toMs: to?.getTime() ?? Number.MAX_SAFE_INTEGER,
    // An empty list of services means all services, so a search that no service can fulfil wants no level.
    levels: both === undefined ? 0 : levelsAsked & asked.levels,
    services: both ?? [],
    needs: needs.length === 0 ? undefined : { kind: 'all', of: needs },
    matches: asked.matches,
  }
}

/** The services that are in both lists; empty: all services; undefined: none. */
function intersect(services: readonly string[], asked: CompiledConditions['services']): readonly string[] | undefined {
  if (asked === undefined) return services
  const both = services.length === 0 ? asked : asked.filter((service) => services.includes(service))
  return both.length === 0 ? undefined : both
}

function needsOf({ host, traceId, contains }: Pick<LineConditions, 'host' | 'traceId' | 'contains'>): Need[] {
  if (traceId !== '' && !/^[\da-f]{32}$/i.test(traceId))
    throw coreErrors.INVALID_REQUEST({ message: 'trace_id must be 32 hexadecimal digits' })
  const needs: Need[] = []
  if (contains !== '') needs.push({ kind: 'text', form: 'substring', text: foldText(contains) })
  if (host !== '') needs.push({ kind: 'equals', column: 'host', value: host })
  if (traceId !== '') needs.push({ kind: 'equals', column: 'traceId', value: traceId.toLowerCase() })
  return needs
}

function levelBit(name: string): number {
  const index = (LEVEL_NAMES as readonly string[]).indexOf(name)
  if (index < 0) throw coreErrors.INVALID_REQUEST({ message: `level must be one of ${LEVEL_NAMES.join(', ')}` })
  return 1 << index
}
