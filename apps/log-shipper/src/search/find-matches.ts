import { LEVEL_NAMES, levelIndex } from '../records/severity.js'
import type { CompiledQuery } from './compiled-query.js'
import type { LogRows } from './log-rows.js'
import { columnsOfNeed, neededRows } from './needed-rows.js'
import type { ChunkColumn, ChunkPlace } from './stored-chunk.js'

/** Which conditions are left to be tested on each line; a head may show that all lines fulfil some of them. */
export interface OpenConditions {
  readonly time: boolean
  readonly levels: boolean
  readonly services: boolean
}

const ALL_OPEN: OpenConditions = { time: true, levels: true, services: true }

/** What the head of a chunk leaves open. */
export function openConditions(query: CompiledQuery, place: ChunkPlace): OpenConditions {
  return {
    time: place.firstMs < query.fromMs || place.lastMs >= query.toMs,
    levels: (place.levels & ~query.levels) !== 0,
    services: query.services.length > 0 && !place.services.every((service) => query.services.includes(service)),
  }
}

/** The columns that `findMatches` reads of a chunk. */
export function columnsToMatch(query: CompiledQuery, open: OpenConditions): ChunkColumn[] {
  return [
    ...columnsOfNeed(query.needs),
    ...(open.time ? (['time'] as const) : []),
    ...(open.levels ? (['severity'] as const) : []),
    ...(open.services ? (['service'] as const) : []),
  ]
}

/** The indexes of the lines that fulfil everything but `query.matches`, ascending. */
export function findMatches(rows: LogRows, query: CompiledQuery, open = ALL_OPEN): number[] {
  const needed = query.needs === undefined ? undefined : neededRows(rows, query.needs)
  if (needed !== undefined && !needed.includes(1)) return []
  const ms = open.time ? rows.columns('time').ms : undefined
  const severity =
    open.levels && query.levels !== (1 << LEVEL_NAMES.length) - 1 ? rows.columns('severity').values : undefined
  const found: number[] = []
  for (let index = 0; index < rows.count; index++) {
    if (needed !== undefined && needed[index] === 0) continue
    if (ms !== undefined && !((ms[index] as number) >= query.fromMs && (ms[index] as number) < query.toMs)) continue
    if (severity !== undefined && ((query.levels >> levelIndex(severity[index] as number)) & 1) === 0) continue
    if (open.services && query.services.length > 0 && !query.services.includes(rows.places.service(index))) continue
    found.push(index)
  }
  return found
}
