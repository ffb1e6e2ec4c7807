const RETRY_INFO_TYPE = 'type.googleapis.com/google.rpc.RetryInfo'

/** A status of a call, and when the caller may try again. */
export interface RetryableStatus {
  readonly code: number
  readonly details: string
  /** From the receipt of the status, in seconds. */
  readonly retryAfterSeconds: number
}

/**
 * A google.rpc.Status with a google.rpc.RetryInfo, for the metadata key `grpc-status-details-bin`. Clients of any language read it there; those of OTLP
 * repeat RESOURCE_EXHAUSTED only when it has one.
 */
export function encodeRetryInfo({ code, details, retryAfterSeconds }: RetryableStatus): Buffer {
  const seconds = Math.floor(retryAfterSeconds)
  const nanos = Math.floor((retryAfterSeconds - seconds) * 1e9)
  const duration = Buffer.concat([numberField(1, seconds), numberField(2, nanos)])
  const any = Buffer.concat([bytesField(1, Buffer.from(RETRY_INFO_TYPE)), bytesField(2, bytesField(1, duration))])
  return Buffer.concat([numberField(1, code), bytesField(2, Buffer.from(details)), bytesField(3, any)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80)
  return Buffer.from([...bytes, rest])
}

function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)])
}

function bytesField(field: number, content: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content])
}
