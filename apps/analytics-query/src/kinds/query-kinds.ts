import { errors } from '../errors.js'
import { breakdown } from './breakdown.js'
import { daily } from './daily.js'
import { funnel } from './funnel.js'
import { logins } from './logins.js'
import { percentiles } from './percentiles.js'
import type { QueryKind } from './query-kind.js'
import { retention } from './retention.js'
import { sessions } from './sessions.js'
import { timeseries } from './timeseries.js'
import { top } from './top.js'
import { uniques } from './uniques.js'

const KINDS: readonly QueryKind[] = [
  timeseries,
  top,
  breakdown,
  uniques,
  percentiles,
  funnel,
  retention,
  sessions,
  logins,
  daily,
]

/** @throws UNKNOWN_QUERY_KIND naming those there are. */
export function findQueryKind(name: string): QueryKind {
  const kind = KINDS.find((candidate) => candidate.name === name)
  if (kind !== undefined) return kind
  throw errors.UNKNOWN_QUERY_KIND({
    message: `there is no query "${name}": use ${KINDS.map((known) => known.name).join(', ')}`,
  })
}
