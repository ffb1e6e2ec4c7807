/** A mark of an event, see MarkLayout; all events of the users of `of` must be there to be counted. */
export function markSql(day: string, of: string): string {
  return `((extract(epoch from "timestamp" - (${day})::timestamp at time zone 'UTC') * 1000000)::bigint << 16)
          + least(65535, row_number() over (partition by ${of}, "timestamp" order by partition, position) - 1)`
}
