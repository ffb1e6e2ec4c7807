import { AsyncResource } from 'node:async_hooks'
import type { Logger } from '@millrace/logger'
import type { CutWishes } from '../cut-wishes.js'
import type { DayPacker } from './day-packer.js'

export interface KeepPackingDeps {
  readonly packer: Pick<DayPacker, 'pack' | 'stop'>
  readonly logger: Logger
  /** Told how many days were packed. */
  readonly onPacked: (days: number) => void
  /** New ones bring the next turn forward. */
  readonly wishes?: Pick<CutWishes, 'onNew'>
}

/**
 * Packs what there is to pack, and again `intervalMs` after each end; sooner when there are new wishes, but never before it has rested as long as the last
 * turn took, so that looking for what is wished costs at most half of one connection. When it fails, queries go on from raw rows; the next turn tries again. The returned
 * function stops it and resolves when the day under way is done.
 */
export function keepPacking(
  { intervalMs }: { readonly intervalMs: number },
  deps: KeepPackingDeps,
): () => Promise<void> {
  const { packer, logger, onPacked, wishes } = deps
  let isStopped = false
  let hasFailed = false
  let hasWishes = false
  let timer: NodeJS.Timeout | undefined
  const turn = async (): Promise<void> => {
    timer = undefined
    hasWishes = false
    const startedAt = performance.now()
    try {
      onPacked(await packer.pack())
      if (hasFailed) logger.info('days that are over are packed again')
      hasFailed = false
    } catch (error) {
      if (!hasFailed && !isStopped)
        logger.warn('days that are over cannot be packed: they are read from raw rows', { error })
      hasFailed = true
    }
    if (!isStopped) restAfter(performance.now() - startedAt)
  }
  let restUntil = 0
  const restAfter = (tookMs: number): void => {
    restUntil = performance.now() + Math.min(tookMs, intervalMs)
    startIn(hasWishes ? Math.min(tookMs, intervalMs) : intervalMs)
  }
  let running = Promise.resolve()
  const startIn = (delayMs: number): void => {
    clearTimeout(timer)
    timer = setTimeout(start, delayMs)
  }
  const start = (): void => {
    running = turn()
  }
  // Bound: a turn is not part of the question that wished.
  wishes?.onNew(
    AsyncResource.bind(() => {
      const isWaiting = timer !== undefined && !hasWishes
      hasWishes = true
      if (isWaiting && !isStopped) startIn(Math.max(0, restUntil - performance.now()))
    }),
  )
  start()
  return async () => {
    isStopped = true
    packer.stop()
    clearTimeout(timer)
    await running
  }
}
