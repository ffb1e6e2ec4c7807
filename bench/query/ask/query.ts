export interface Filter {
  property: string
  op: string
  value: string
}

/** A query in the form of the public API, with its kind. `user_id` is that of a timeline. */
export interface Query {
  kind: string
  event?: string
  metric?: { agg: string; property: string }
  from?: string
  to?: string
  interval?: string
  filters?: Filter[]
  group_by?: string[]
  limit?: number
  steps?: string[]
  /** In milliseconds. */
  window?: number
  return_event?: string
  compare?: string
  fresh?: boolean
  user_id?: string
}
