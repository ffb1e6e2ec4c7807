import type { Transaction } from '@millrace/database'
import type { StreamHandler } from '@millrace/streams'
import { isStorableDay } from '../store/store-rows.js'
import type { PreparedEvents } from '../stream/events-handler.js'
import type { Mirror } from './mirror.js'

type Handler = StreamHandler<PreparedEvents, Transaction>

/** A handler that also tells the mirror which partitions this consumer owns and what is committed. A mirror that cannot write to Kafka neither delays it nor makes it fail. */
export function createMirrorHandler(
  handler: Handler,
  mirror: Pick<Mirror, 'own' | 'disown' | 'committed'>,
): Required<Handler> {
  return {
    assigned: async (partitions, context) => {
      await handler.assigned(partitions, context)
      await mirror.own(partitions)
    },
    prepare: (batch) => handler.prepare(batch),
    apply: (prepared, tx) => handler.apply(prepared, tx),
    committed: (prepared) => {
      handler.committed?.(prepared)
      const days = daysOf(prepared)
      for (const [partition, end] of endsOf(prepared)) mirror.committed(partition, end, days)
    },
    revoked: (partitions) => {
      for (const partition of partitions) mirror.disown(partition)
      handler.revoked(partitions)
    },
    wantsCommit: () => handler.wantsCommit?.() ?? false,
    stopping: () => handler.stopping?.(),
  }
}

/** The ordinal after the last record of each partition. */
function endsOf({ batch: { frames } }: PreparedEvents): ReadonlyMap<number, number> {
  return new Map(frames.map(({ frame: { partition, firstOrdinal, records } }) => [partition, firstOrdinal + records]))
}

function daysOf({ batch }: PreparedEvents): { firstMs: number; lastMs: number } | null {
  const days = batch.days.filter(isStorableDay).map(({ dayMs }) => dayMs)
  return days.length === 0 ? null : { firstMs: Math.min(...days), lastMs: Math.max(...days) }
}
