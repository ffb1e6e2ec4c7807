import type { Wire } from '../events/event-desk.js'

/** An address that takes events. */
export interface EventRoute {
  readonly path: string
  readonly wire: Wire
  readonly bodyBytesMax: number
  /** Whether the answer lists every event and `wait=stored` is understood. */
  readonly isNative: boolean
}
