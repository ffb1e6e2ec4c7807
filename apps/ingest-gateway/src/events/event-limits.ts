import type { EventRow } from './event-row.js'
import type { RejectionCode } from './rejections.js'

export interface EventLimits {
  /** Bytes of one event, including the context of its envelope. */
  eventBytesMax: number
  /** Levels of nesting; the event itself is the first. */
  depthMax: number
  /** Keys of an event, including nested ones. */
  keysMax: number
}

interface Limit {
  readonly code: RejectionCode
  readonly setting: string
  /** What the event has, for the reason. */
  describe(actual: number): string
}

const LIMITS: Readonly<Record<keyof EventLimits, Limit>> = {
  eventBytesMax: {
    code: 'event_too_large',
    setting: 'EVENT_BYTES_MAX',
    describe: (actual) => `the event has ${actual} bytes`,
  },
  depthMax: {
    code: 'nested_too_deep',
    setting: 'EVENT_DEPTH_MAX',
    describe: (actual) => `the event has ${actual} levels of nesting`,
  },
  keysMax: {
    code: 'too_many_keys',
    setting: 'EVENT_KEYS_MAX',
    describe: (actual) => `the event has ${actual} keys`,
  },
}

/** What an event has of that which is limited. */
export interface EventSize {
  readonly bytes: number
  readonly depth: number
  readonly keys: number
}

/** The code of the first limit that an event is over; its reason names the limit, its setting and what the event has. */
export function checkLimits(
  event: EventRow,
  { bytes, depth, keys }: EventSize,
  limits: EventLimits,
): RejectionCode | undefined {
  if (bytes > limits.eventBytesMax) return exceed(event, 'eventBytesMax', { actual: bytes, limits })
  if (depth > limits.depthMax) return exceed(event, 'depthMax', { actual: depth, limits })
  if (keys > limits.keysMax) return exceed(event, 'keysMax', { actual: keys, limits })
  return undefined
}

function exceed(
  event: EventRow,
  name: keyof EventLimits,
  { actual, limits }: { actual: number; limits: EventLimits },
): RejectionCode {
  const { code, setting, describe } = LIMITS[name]
  event.detail = `${describe(actual)}, and at most ${limits[name]} are allowed (${setting})`
  return code
}
