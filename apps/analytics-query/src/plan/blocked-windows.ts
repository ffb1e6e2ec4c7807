import { LEVEL_SECONDS, type LevelSeconds, MINUTE_LEVEL } from '@millrace/rollups'

/** Windows that must not be used: dirty ones, and every coarser window that contains one. */
export function blockedWindows(
  dirty: Readonly<Partial<Record<LevelSeconds, readonly number[]>>>,
): Partial<Record<LevelSeconds, readonly number[]>> {
  const blocked: Partial<Record<LevelSeconds, readonly number[]>> = {}
  let finer: readonly number[] = []
  for (const level of LEVEL_SECONDS) {
    const width = level * 1000
    const starts = new Set(dirty[level] ?? [])
    for (const start of finer) starts.add(Math.floor(start / width) * width)
    finer = [...starts].sort((a, b) => a - b)
    if (level !== MINUTE_LEVEL.seconds) blocked[level] = finer
    else finer = []
  }
  return blocked
}
