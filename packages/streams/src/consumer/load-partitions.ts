import { BEGINNING, type PartitionDescription } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import type { TakenPartition } from './group-table.js'
import { PartitionState } from './partition-state.js'

/** A partition that was taken, with its state from PostgreSQL. */
export interface LoadedPartition {
  readonly taken: TakenPartition
  readonly state: PartitionState
}

/**
 * Loads the state of partitions that were just taken. Those that the driver cannot describe are missing in the result. A partition whose stream ends before its position is reset to the
 * start of the stream.
 */
export async function loadPartitions<Prepared, Tx extends SqlTransaction>(
  context: ConsumerContext<Prepared, Tx>,
  taken: readonly TakenPartition[],
): Promise<LoadedPartition[]> {
  const { config, table } = context
  const numbers = taken.map(({ partition }) => partition)
  const [descriptions, producers] = await Promise.all([
    config.driver.describe(config.stream, numbers),
    table.producersOf(numbers),
  ])
  const ready: LoadedPartition[] = []
  for (const row of taken) {
    const description = descriptions.find(({ partition }) => partition === row.partition)
    if (description === undefined) continue
    const current = isRegressed(context, row.position, description) ? await rewind(context, row, description) : row
    const isFresh = current.position === BEGINNING && current.nextOrdinal === 0
    const trimmed = trimmedFrames(description)
    const own = producers.filter(({ partition }) => partition === row.partition)
    const started = isFresh ? { ...current, frames: trimmed ?? 0 } : current
    // When a group begins on a trimmed stream, the missing sequences of its producers were trimmed, not lost.
    const state = new PartitionState(started, own, isFresh && own.length === 0 && trimmed !== 0)
    ready.push({ taken: current, state })
  }
  return ready
}

/** Whether the stream ends before `position`: it has lost its newest frames, and new frames may get positions that were read already. */
export function isRegressed<Prepared, Tx extends SqlTransaction>(
  { config }: ConsumerContext<Prepared, Tx>,
  position: string,
  description: PartitionDescription,
): boolean {
  return config.driver.comparePositions(description.last, position) < 0
}

async function rewind<Prepared, Tx extends SqlTransaction>(
  { table, logger, metrics }: ConsumerContext<Prepared, Tx>,
  row: TakenPartition,
  description: PartitionDescription,
): Promise<TakenPartition> {
  const { partition, position } = row
  metrics?.regressions.inc()
  logger.error('the stream ends before the committed position; it is read again from its start', {
    partition,
    position,
    last: description.last,
    frames: description.frames,
  })
  const frames = trimmedFrames(description) ?? 0
  if (!(await table.rewind(row, frames))) throw streamErrors.LEASE_LOST({ details: { partition } })
  return { ...row, position: BEGINNING, flushedPosition: BEGINNING, frames }
}

function trimmedFrames({ frames, framesEver }: PartitionDescription): number | undefined {
  return framesEver === undefined ? undefined : Math.max(0, framesEver - frames)
}
