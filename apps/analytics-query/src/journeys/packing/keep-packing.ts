import type { Lifecycle } from '@millrace/service'
import type { CutWishes } from '../cut-wishes.js'
import type { DayPacker } from './day-packer.js'

export interface KeepPackingDeps {
  readonly lifecycle: Pick<Lifecycle, 'every' | 'stopping'>
  readonly packer: Pick<DayPacker, 'pack' | 'stop'>
  /** Called with the number of days that a run packed. */
  readonly onPacked: (days: number) => void
  /** A new request for a layout brings the next run forward. */
  readonly wishes?: Pick<CutWishes, 'onNew'>
}

/**
 * Packs finished days in the background, `intervalMs` after each run or sooner when a query asks for a layout that is missing. While packing fails,
 * queries read raw rows. The stop waits for the day that is being packed.
 */
export async function keepPacking(
  { intervalMs }: { readonly intervalMs: number },
  { lifecycle, packer, onPacked, wishes }: KeepPackingDeps,
): Promise<void> {
  lifecycle.stopping.addEventListener('abort', () => packer.stop(), { once: true })
  const task = await lifecycle.every('day packer', intervalMs, async () => onPacked(await packer.pack()))
  wishes?.onNew(() => task.runSoon())
}
