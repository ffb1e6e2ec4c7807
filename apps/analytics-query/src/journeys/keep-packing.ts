import type { Logger } from '@millrace/logger'
import type { DayPacker } from './day-packer.js'

export interface KeepPackingDeps {
  readonly packer: Pick<DayPacker, 'pack' | 'stop'>
  readonly logger: Logger
  /** Told how many days were packed. */
  readonly onPacked: (days: number) => void
}

/**
 * Packs what there is to pack, and again `intervalMs` after each end. When it fails, queries go on from raw rows; the next turn tries again. The
 * returned function stops it and resolves when the day under way is done.
 */
export function keepPacking(
  { intervalMs }: { readonly intervalMs: number },
  deps: KeepPackingDeps,
): () => Promise<void> {
  const { packer, logger, onPacked } = deps
  let isStopped = false
  let hasFailed = false
  let timer: NodeJS.Timeout | undefined
  const turn = async (): Promise<void> => {
    try {
      onPacked(await packer.pack())
      if (hasFailed) logger.info('days that are over are packed again')
      hasFailed = false
    } catch (error) {
      if (!hasFailed && !isStopped)
        logger.warn('days that are over cannot be packed: they are read from raw rows', { error })
      hasFailed = true
    }
    if (!isStopped) timer = setTimeout(start, intervalMs)
  }
  let running = Promise.resolve()
  const start = (): void => {
    running = turn()
  }
  start()
  return async () => {
    isStopped = true
    packer.stop()
    clearTimeout(timer)
    await running
  }
}
