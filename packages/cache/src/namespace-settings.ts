import { cacheErrors } from './cache-errors.js'
import type { NamespaceOptions, ReadOptions } from './cache-types.js'
import { type Codec, jsonCodec } from './codec.js'
import { cacheLevels } from './levels.js'

const negativeTtlMsDefault = 10_000

/** The options of a namespace with all defaults. */
export interface NamespaceSettings<T> {
  readonly ttlMs: number
  readonly staleMs: number
  readonly negativeTtlMs: number
  readonly jitter: number
  readonly softTimeoutMs: number
  readonly hardTimeoutMs: number
  readonly refreshAhead: number
  readonly isStrict: boolean
  readonly allowsUnconfirmedOnError: boolean
  readonly isShared: boolean
  readonly remembersPopular: boolean
  readonly codec: Codec<T>
  readonly compressBytesMin: number
  readonly entryBytesMax: number
  readonly memoryBytesMax: number
}

/**
 * The options of a namespace with the defaults of its level. Throws CACHE_OPTIONS for values that contradict each
 * other.
 */
export function toSettings<T>(options: NamespaceOptions<T>): NamespaceSettings<T> {
  const level = cacheLevels[options.level]
  const ttlMs = options.ttlMs ?? level.ttlMs
  const settings: NamespaceSettings<T> = {
    ttlMs,
    staleMs: options.staleMs ?? 0,
    negativeTtlMs: options.negativeTtlMs ?? Math.min(ttlMs, negativeTtlMsDefault),
    jitter: options.jitter ?? 0.1,
    softTimeoutMs: options.softTimeoutMs ?? 0,
    hardTimeoutMs: options.hardTimeoutMs ?? 30_000,
    refreshAhead: options.refreshAhead ?? 0.2,
    isStrict: options.isStrict ?? false,
    allowsUnconfirmedOnError: options.allowsUnconfirmedOnError ?? false,
    isShared: options.isShared ?? true,
    remembersPopular: options.remembersPopular ?? true,
    codec: options.codec ?? jsonCodec<T>(),
    compressBytesMin: options.compressBytesMin ?? 4_096,
    entryBytesMax: options.entryBytesMax ?? level.entryBytesMax,
    memoryBytesMax: options.memoryBytesMax ?? level.memoryBytesMax,
  }
  check(settings)
  return settings
}

function check<T>(settings: NamespaceSettings<T>): void {
  for (const name of ['jitter', 'refreshAhead'] as const) {
    const value = settings[name]
    if (!(value >= 0 && value < 1))
      throw cacheErrors.CACHE_OPTIONS({ message: `${name} must be a share from 0 to below 1` })
  }
  for (const [name, value] of Object.entries(settings)) {
    if (!/(Ms|BytesMin|BytesMax)$/.test(name) || (value as number) >= 0) continue
    throw cacheErrors.CACHE_OPTIONS({ message: `${name} must be a number of at least 0` })
  }
  if (!(settings.memoryBytesMax >= 1)) throw cacheErrors.CACHE_OPTIONS({ message: 'memoryBytesMax must be at least 1' })
}

/** How long a value is fresh, and how long it may be used after that while it is loaded again. */
export interface Lifetime {
  readonly ttlMs: number
  readonly staleMs: number
}

/** The lifetime of a value; `null` gets at most `negativeTtlMs`. */
export function chooseLifetime<T>(
  settings: NamespaceSettings<T>,
  value: T,
  requested: Pick<ReadOptions<T>, 'ttlMs' | 'staleMs'>,
  random: () => number,
): Lifetime {
  const ttlMs = requested.ttlMs ?? settings.ttlMs
  const staleMs = requested.staleMs ?? settings.staleMs
  const isNegative = value === null
  const jittered = (isNegative ? Math.min(ttlMs, settings.negativeTtlMs) : ttlMs) * (1 - settings.jitter * random())
  return { ttlMs: jittered, staleMs: isNegative ? Math.min(staleMs, settings.negativeTtlMs) : staleMs }
}
