import { LEVELS, type Level } from './catalog.js'

/** The windows that may not be used: those marked dirty, and every coarser one that holds one of them. */
export function blockedWindows(
  dirty: Readonly<Partial<Record<Level, readonly number[]>>>,
): Partial<Record<Level, readonly number[]>> {
  const blocked: Partial<Record<Level, readonly number[]>> = {}
  let finer: readonly number[] = []
  for (const level of LEVELS) {
    const width = level * 1000
    const starts = new Set(dirty[level] ?? [])
    for (const start of finer) starts.add(Math.floor(start / width) * width)
    finer = [...starts].sort((a, b) => a - b)
    if (level !== LEVELS[0]) blocked[level] = finer
    else finer = []
  }
  return blocked
}
