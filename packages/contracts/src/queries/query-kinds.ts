import type { z } from 'zod'
import { breakdown } from './kinds/breakdown.js'
import { daily } from './kinds/daily.js'
import { funnel } from './kinds/funnel.js'
import { logins } from './kinds/logins.js'
import { percentiles } from './kinds/percentiles.js'
import { retention } from './kinds/retention.js'
import { sessions } from './kinds/sessions.js'
import { stickiness } from './kinds/stickiness.js'
import { timeseries } from './kinds/timeseries.js'
import { top } from './kinds/top.js'
import { uniques } from './kinds/uniques.js'

/** Every kind of query by its name; this order is the order of the documentation. */
export const queryKinds = {
  timeseries,
  top,
  breakdown,
  uniques,
  percentiles,
  funnel,
  retention,
  stickiness,
  sessions,
  logins,
  daily,
} as const

/** The name of a query kind, as in its path. */
export type QueryKindName = keyof typeof queryKinds

/** Whether there is a query kind of this name. */
export function isQueryKind(name: string): name is QueryKindName {
  return Object.hasOwn(queryKinds, name)
}

type Immutable<T> = T extends object ? { readonly [K in keyof T]: Immutable<T[K]> } : T
type Contract<K extends QueryKindName> = (typeof queryKinds)[K]
type KeyOf<T> = T extends unknown ? keyof T : never
type ValueOf<T, K extends PropertyKey> = T extends unknown ? (K extends keyof T ? T[K] : never) : never

/** One item of `data` in the answer of a kind. */
export type PointOf<K extends QueryKindName> = K extends unknown ? Immutable<z.output<Contract<K>['point']>> : never

/** `summary` in the answer of a kind. */
export type SummaryOf<K extends QueryKindName> = Immutable<z.output<NonNullable<Contract<K>['summary']>>>

/** A request of any kind after validation: every field that some kind has. */
export type AnyQuery = {
  readonly [F in KeyOf<z.output<Contract<QueryKindName>['request']>>]?: ValueOf<
    z.output<Contract<QueryKindName>['request']>,
    F
  >
}

type AnyPoint = PointOf<QueryKindName>

/** A point of any kind: `value`, and every other field that some kind has. */
export type QueryPoint = {
  readonly [F in Exclude<KeyOf<AnyPoint>, 'value' | 'values'>]?: ValueOf<AnyPoint, F>
} & {
  readonly value: number | null
  /** Further results by name. */
  readonly values?: Readonly<Record<string, number | null>>
}
