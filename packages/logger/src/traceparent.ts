import { randomBytes, randomUUID } from 'node:crypto'

/** The parts of a W3C `traceparent` header. */
export interface TraceParent {
  /** 32 lower case hexadecimal digits. */
  readonly traceId: string
  /** 16 lower case hexadecimal digits. */
  readonly spanId: string
  readonly isSampled: boolean
}

const PATTERN = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

/** Undefined when the header is not valid, see https://www.w3.org/TR/trace-context/#traceparent-header */
export function parseTraceparent(header: string | undefined): TraceParent | undefined {
  const match = header === undefined || header.length > 512 ? null : PATTERN.exec(header)
  if (match === null) return undefined
  const [, traceId, spanId, flags] = match as unknown as [string, string, string, string]
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
}

/**
 * The last seven bytes are random, as samplers expect: https://www.w3.org/TR/trace-context-2/#random-trace-id-flag. Taking them from a UUID is ten
 * times faster than `randomBytes`.
 */
export function createTraceId(): string {
  return randomUUID().replaceAll('-', '')
}

export function createSpanId(): string {
  return randomBytes(8).toString('hex')
}
