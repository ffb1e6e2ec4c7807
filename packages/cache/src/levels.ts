import { DAY_MS, HOUR_MS, MINUTE_MS } from '@millrace/contracts'

const mebibyte = 2 ** 20

/** Chooses the default lifetime and sizes of a namespace. */
export type CacheLevel = 'hot' | 'warm' | 'cold'

/** Lifetimes and limits of a level. */
export interface LevelTraits {
  readonly ttlMs: number
  /** Limit of one encoded value before compression; a larger value is returned but not kept. */
  readonly entryBytesMax: number
  /** Memory limit of a namespace in this process. */
  readonly memoryBytesMax: number
}

/** The three levels of QRY-2: hot, warm and cold. */
export const cacheLevels: Readonly<Record<CacheLevel, LevelTraits>> = {
  hot: { ttlMs: 5 * MINUTE_MS, entryBytesMax: mebibyte, memoryBytesMax: 64 * mebibyte },
  warm: { ttlMs: HOUR_MS, entryBytesMax: 10 * mebibyte, memoryBytesMax: 64 * mebibyte },
  cold: { ttlMs: DAY_MS, entryBytesMax: 100 * mebibyte, memoryBytesMax: 32 * mebibyte },
}

/** Usual lifetimes by kind of value, in ms. */
export const ttlPresets = {
  user: 5 * MINUTE_MS,
  analytics: 10 * MINUTE_MS,
  list: 2 * MINUTE_MS,
  session: 7 * DAY_MS,
} as const
