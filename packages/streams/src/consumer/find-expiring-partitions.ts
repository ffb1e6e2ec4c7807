import type { Position, StreamDriver } from '../driver/stream-driver.js'

/** The alarm is raised when frames that a group has not flushed have reached this share of the time after which the server removes them. */
const ALARM_SHARE = 0.7

export interface ExpiringPartitions {
  /** After this time the server removes frames by their age; undefined when it never does. */
  readonly retentionMs: number | undefined
  /** Partitions with frames that reach 70 % of this time and that a group has not flushed, in ascending order. */
  readonly partitions: readonly number[]
}

/**
 * Finds partitions from which the server will soon remove frames that a consumer group has not stored. Redis never does; Kafka does where this client may
 * not delete records.
 *
 * @param flushed how far every group has flushed the partitions
 */
export async function findExpiringPartitions(
  driver: StreamDriver,
  stream: string,
  flushed: readonly { readonly partition: number; readonly position: Position }[],
): Promise<ExpiringPartitions> {
  const retentionMs = await driver.retentionMs?.(stream)
  if (retentionMs === undefined) return { retentionMs, partitions: [] }
  const beforeMs = Date.now() - retentionMs * ALARM_SHARE
  const partitions = [...new Set(flushed.map(({ partition }) => partition))].sort((a, b) => a - b)
  const old = await Promise.all(
    partitions.map(async (partition) => [partition, await driver.positionAt(stream, partition, beforeMs)] as const),
  )
  const isBehind = (partition: number, position: Position) =>
    flushed.some((group) => group.partition === partition && driver.comparePositions(group.position, position) < 0)
  return {
    retentionMs,
    partitions: old.filter(([partition, position]) => isBehind(partition, position)).map(([partition]) => partition),
  }
}
