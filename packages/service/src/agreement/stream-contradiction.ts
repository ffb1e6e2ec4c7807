import type { Contradiction, PublishedSettings } from './setting-rules.js'
import type { SettingsQueryable } from './settings-database.js'

interface StoredGroup {
  readonly group_name: string
  readonly partitions: number
  /** The server that holds the stream, as far as the stored positions tell. */
  readonly driver: string
}

/** Redis' positions have a dash, Kafka's are numbers. Read by the other driver, they would name other places in the stream. */
const DRIVER_SQL = `case when bool_or(position like '%-%') then 'redis' else 'kafka' end`

const NAMES: Readonly<Record<string, string>> = { redis: 'Redis', kafka: 'Kafka' }

/**
 * Compares the settings of the stream with the positions that consumer groups have stored: they outlive every process. A group that has stored nothing
 * does not count.
 */
export async function findStreamContradiction(
  { service, instance, values }: PublishedSettings,
  database: SettingsQueryable,
): Promise<Contradiction | undefined> {
  const { STREAM_NAME: stream, STREAM_PARTITIONS: partitions, STREAM_GROUP: group, STREAM_DRIVER: driver } = values
  if (stream === undefined) return undefined
  const { rows } = await database.query<StoredGroup>(
    `select group_name, count(*)::int as partitions, ${DRIVER_SQL} as driver from stream_partitions where stream = $1 group by group_name having bool_or(position <> '') order by 1`,
    [stream],
  )
  const say = (sentence: string): Contradiction => ({ isDangerous: true, instances: [instance, instance], sentence })
  const other = rows.find((row) => partitions !== undefined && row.partitions !== partitions)
  if (other !== undefined)
    return say(
      `STREAM_PARTITIONS of ${service} is ${partitions}, but the stream "${stream}" has events in ${other.partitions} partitions: set STREAM_PARTITIONS to ${other.partitions}, or use another STREAM_NAME`,
    )
  const moved = rows.find((row) => driver !== undefined && row.driver !== driver)
  if (moved !== undefined)
    return say(
      `STREAM_DRIVER of ${service} is ${driver}, but the events of the stream "${stream}" were read from ${NAMES[moved.driver]}: set STREAM_DRIVER to ${moved.driver}, or use another STREAM_NAME`,
    )
  const stores =
    service === 'stream-consumer' && rows.length > 0 && !rows.some(({ group_name }) => group_name === group)
  if (stores)
    return say(
      `STREAM_GROUP of ${service} is "${group}", but the group "${rows[0]?.group_name}" has stored the events of the stream "${stream}": they would be stored a second time; set STREAM_GROUP to "${rows[0]?.group_name}"`,
    )
  return undefined
}
