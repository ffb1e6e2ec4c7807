const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const mebibyte = 2 ** 20

/** How long values of a namespace live by default and how large one may be. */
export type CacheLevel = 'hot' | 'warm' | 'cold'

export interface LevelTraits {
  readonly ttlMs: number
  /** Limit of one encoded value before compression; a larger one is answered and not kept. */
  readonly entryBytesMax: number
  /** Share of a namespace in this process's memory. */
  readonly memoryBytesMax: number
}

export const cacheLevels: Readonly<Record<CacheLevel, LevelTraits>> = {
  hot: { ttlMs: 5 * minute, entryBytesMax: mebibyte, memoryBytesMax: 64 * mebibyte },
  warm: { ttlMs: hour, entryBytesMax: 10 * mebibyte, memoryBytesMax: 64 * mebibyte },
  cold: { ttlMs: day, entryBytesMax: 100 * mebibyte, memoryBytesMax: 32 * mebibyte },
}

/** Usual lifetimes by what is kept, in ms. */
export const ttlPresets = {
  user: 5 * minute,
  analytics: 10 * minute,
  list: 2 * minute,
  session: 7 * day,
} as const
