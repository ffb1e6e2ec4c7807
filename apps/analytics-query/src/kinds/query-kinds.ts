import type { QueryKindName } from '@millrace/contracts'
import type { RunCells } from '../cells/run-cells.js'
import type { ReadDaily } from '../daily-report/read-daily.js'
import { errors } from '../errors.js'
import type { ReadMarks } from '../journeys/read-marks.js'
import type { ReadLogins } from '../logins/read-logins.js'
import { breakdown } from './breakdown.js'
import { daily } from './daily.js'
import { funnel } from './funnel.js'
import { logins } from './logins.js'
import { percentiles } from './percentiles.js'
import type { QueryKind, QueryLimits } from './query-kind.js'
import { retention } from './retention.js'
import { sessions } from './sessions.js'
import { stickiness } from './stickiness.js'
import { timeseries } from './timeseries.js'
import { top } from './top.js'
import { uniques } from './uniques.js'

/** Everything that some kind reads with. The factory of a kind takes only what that kind needs. */
export interface KindDeps {
  readonly limits: QueryLimits
  /** Values of buckets and groups, from rollups and raw rows. */
  readonly runCells: RunCells
  /** Events of each user in their order, from packed days and raw rows. */
  readonly readMarks: ReadMarks
  readonly readLogins: ReadLogins
  readonly readDaily: ReadDaily
}

export interface QueryKinds {
  /** @throws UNKNOWN_QUERY_KIND with the names of all kinds */
  find(name: string): QueryKind
}

/** Every kind of the contract; one that is missing here does not compile. */
export function createQueryKinds(deps: KindDeps): QueryKinds {
  const kinds: Readonly<Record<QueryKindName, QueryKind>> = {
    timeseries: timeseries(deps),
    top: top(deps),
    breakdown: breakdown(deps),
    uniques: uniques(deps),
    percentiles: percentiles(deps),
    funnel: funnel(deps),
    retention: retention(deps),
    stickiness: stickiness(deps),
    sessions: sessions(deps),
    logins: logins(deps),
    daily: daily(deps),
  }
  const byName: ReadonlyMap<string, QueryKind> = new Map(Object.entries(kinds))
  return {
    find(name) {
      const kind = byName.get(name)
      if (kind !== undefined) return kind
      throw errors.UNKNOWN_QUERY_KIND({ message: `there is no query "${name}": use ${[...byName.keys()].join(', ')}` })
    },
  }
}
