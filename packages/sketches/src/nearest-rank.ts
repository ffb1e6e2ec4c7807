/**
 * The place, from 0 in ascending order, of the quantile `q` (0 to 1) among `count` values (at least 1), by the
 * nearest-rank method: the smallest value with at least the share `q` of all values at or below it. PostgreSQL's
 * `percentile_disc` is the same rule, so with few values a high percentile is the greatest value.
 */
export function nearestRank(q: number, count: number): number {
  return Math.min(Math.max(Math.ceil(q * count), 1), count) - 1
}
