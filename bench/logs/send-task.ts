import type { LatencySummary } from '../load/latencies.js'
import type { WireName } from './wires.js'

/** What the sender is to do. */
export interface SendTask {
  readonly wire: WireName
  /** Where the server listens: the base URL, or for Forward `tcp://host:port`. */
  readonly url: string
  /** Path for HTTP. */
  readonly path: string
  readonly key: string
  readonly seed: number
  readonly linesPerRequest: number
  /** Different requests; they repeat with other times. */
  readonly bodies: number
  /** Whether lines of all services share a request. */
  readonly isMixed: boolean
  readonly connections: number
  readonly durationMs: number
  /** Ends earlier when this number of lines was sent. */
  readonly linesMax?: number | undefined
  /** Requests are sent by the clock (open loop). Default: as fast as answers come. */
  readonly linesPerSecond?: number | undefined
  /** The number of the first line, and the time of line 0. */
  readonly firstLine: number
  readonly startMs: number
}

/** What it did. */
export interface SendReport {
  readonly lines: number
  readonly requests: number
  readonly bytes: number
  /** From the scheduled time (open loop) or from the send (closed loop) to the answer. */
  readonly acknowledged: LatencySummary
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly cpuSeconds: number
  /** Answers that asked to wait, after which the request was sent again. */
  readonly retries: number
}
