/**
 * The value that stands for everything beyond a definition's limit of series: as event name and as each dimension's
 * value.
 */
export const OVERFLOW_NAME = '$overflow'

/**
 * What names a series. `values` line up with `dimensions`; null stands for a missing value or one that is no text,
 * number or boolean.
 */
export interface SeriesKey {
  tenantId: number
  event: string
  property: string | null
  dimensions: string[]
  values: (string | null)[]
}

/** The text that names a series in a record batch. */
export function seriesKey(series: SeriesKey): string {
  return JSON.stringify([series.tenantId, series.event, series.property, series.dimensions, series.values])
}

/**
 * The series that a text from `seriesKey` names.
 * @throws SyntaxError when the text is not JSON. Its parts are not checked.
 */
export function parseSeriesKey(key: string): SeriesKey {
  const [tenantId, event, property, dimensions, values] = JSON.parse(key) as [
    number,
    string,
    string | null,
    string[],
    (string | null)[],
  ]
  return { tenantId, event, property, dimensions, values }
}
