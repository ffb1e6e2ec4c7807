/** From 0 (inclusive) to 1 (exclusive). */
export type NextRandom = () => number

const HEX = '0123456789abcdef'

/** Values that nobody has to mask, each from random numbers. What a rule finds in them is a false positive. */
export const randomValues: Readonly<Record<string, (next: NextRandom) => string>> = {
  ...Object.fromEntries(
    Array.from({ length: 10 }, (_, i): [string, (next: NextRandom) => string] => [
      `${i + 10} digits`,
      (next) => `${Math.floor(next() * 9) + 1}${digits(next, i + 9)}`,
    ]),
  ),
  uuid: (next) => `${hex(next, 8)}-${hex(next, 4)}-4${hex(next, 3)}-a${hex(next, 3)}-${hex(next, 12)}`,
  'trace id': (next) => hex(next, 32),
  'span id': (next) => hex(next, 16),
  'sha-256': (next) => hex(next, 64),
  base64: (next) => Buffer.from(hex(next, 48), 'hex').toString('base64'),
  float: (next) => String(next() * 1000),
  'small float': (next) => String(next()),
  version: (next) => `v${below(next, 30)}.${below(next, 100)}.${below(next, 1000)}`,
  'IPv4 address': (next) => [0, 0, 0, 0].map(() => below(next, 256)).join('.'),
  'time in ms': (next) => String(1_600_000_000_000 + below(next, 400_000_000_000)),
  'time in ns': (next) => `${1_600_000_000 + below(next, 400_000_000)}${digits(next, 9)}`,
  'ISO time': (next) => new Date(1_600_000_000_000 + below(next, 400_000_000_000)).toISOString(),
  'time of a web server': (next) =>
    `[${below(next, 28) + 1}/Nov/2026:${pad(below(next, 24))}:${pad(below(next, 60))}:${pad(below(next, 60))} +0${below(next, 10)}00] ${below(next, 99_999)}`,
  'columns of numbers': (next) => Array.from({ length: 6 }, () => below(next, 10_000)).join(' '),
  'stream id': (next) => `${1_600_000_000_000 + below(next, 400_000_000_000)}-${below(next, 10)}`,
  'ddd-ddd-dddd': (next) => `${digits(next, 3)}-${digits(next, 3)}-${digits(next, 4)}`,
  'order_id of 16 digits': (next) => `order_id=${digits(next, 16)}`,
}

/** Mulberry32, by Tommy Ettinger (public domain): the same numbers for the same seed. */
export function createNextRandom(seed: number): NextRandom {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function below(next: NextRandom, limit: number): number {
  return Math.floor(next() * limit)
}

function digits(next: NextRandom, count: number): string {
  return Array.from({ length: count }, () => below(next, 10)).join('')
}

function hex(next: NextRandom, count: number): string {
  return Array.from({ length: count }, () => HEX[below(next, 16)]).join('')
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}
