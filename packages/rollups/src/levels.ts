const minutes = { name: '1m', seconds: 60, table: 'rollups_1m' } as const

/**
 * Adding a row here adds a level: consumers, compactor, retention and query plans take their levels from this table
 * alone.
 */
const coarse = [
  { name: '5m', seconds: 300, table: 'rollups_5m', keptDays: 400, keptDaysMin: 1 },
  { name: '1h', seconds: 3600, table: 'rollups_1h', keptDays: 1100, keptDaysMin: 1 },
  // The daily report reads 90 days.
  { name: '1d', seconds: 86_400, table: 'rollups_1d', keptDays: 3660, keptDaysMin: 100 },
] as const

type CoarseName = (typeof coarse)[number]['name']

/** The width of a level's windows in seconds. It also identifies the level in `rollup_dirty` and `rollup_levels`. */
export type LevelSeconds = (typeof minutes | (typeof coarse)[number])['seconds']

/** One width of rollup windows and the table that holds them. Windows are aligned to UTC. */
export interface RollupLevel {
  readonly name: typeof minutes.name | CoarseName
  readonly seconds: LevelSeconds
  readonly table: string
}

/** A level whose windows are merged from those of the next finer level. */
export interface CoarseLevel extends RollupLevel {
  readonly name: CoarseName
  readonly finer: RollupLevel
  /** The next coarser level; null for the coarsest. */
  readonly coarser: RollupLevel | null
  /** Default and smallest value of the setting that decides how long windows are kept, in days. */
  readonly keptDays: number
  readonly keptDaysMin: number
}

/** The finest level. Consumers write it: one row for each series, minute and stream partition, in day partitions. */
export const MINUTE_LEVEL = minutes

/**
 * The levels that the compactor makes, finest first. Each width is a multiple of the next finer one and a divisor of
 * a day.
 */
export const COARSE_LEVELS: readonly CoarseLevel[] = coarse.map((level, index) => ({
  ...level,
  finer: coarse[index - 1] ?? minutes,
  coarser: coarse[index + 1] ?? null,
}))

/** The finest level of the compactor. Each of its rows also holds its minutes, packed (see `packMinutes`). */
export const PACKED_LEVEL = COARSE_LEVELS[0] as CoarseLevel

/** The widths of all levels in seconds, finest first. */
export const LEVEL_SECONDS: readonly LevelSeconds[] = [minutes, ...coarse].map(({ seconds }) => seconds)

/** Width of the coarsest windows: no window that begins earlier than this before a range overlaps it. */
export const WIDEST_WINDOW_S = Math.max(...LEVEL_SECONDS)

const tables = new Map<LevelSeconds, string>([minutes, ...coarse].map(({ seconds, table }) => [seconds, table]))

/** The table that holds the windows of a level. */
export function tableOfLevel(seconds: LevelSeconds): string {
  return tables.get(seconds) as string
}

/**
 * The level with windows of `seconds`; undefined when this release has none, as for rows that a newer release wrote.
 */
export function findLevel(seconds: number): LevelSeconds | undefined {
  return LEVEL_SECONDS.find((level) => level === seconds)
}

/** The start of the window of a level that holds `timeS`, both in seconds since 1970. */
export function windowStartS(timeS: number, level: LevelSeconds): number {
  return Math.floor(timeS / level) * level
}
