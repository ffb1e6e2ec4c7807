import { KIND_TRAITS } from '@millrace/contracts'
import type { SourceOutcome, SourceRefusal, SourceResponse } from '../../intake/http-source.js'
import { explainRejections } from '../explain-rejections.js'
import { bytesField, numberField } from '../protobuf-writer.js'

/** The two forms of OTLP over HTTP. A response has the form of its request. */
export const PROTOBUF = 'application/x-protobuf'
export const JSON_TYPE = 'application/json'
export type OtlpForm = typeof PROTOBUF | typeof JSON_TYPE

/** An ExportLogsServiceResponse in protobuf. `partial_success` is set only when records were refused, all of them for good. */
export function encodeOutcome({ rejections }: SourceOutcome): Buffer {
  if (rejections.length === 0) return Buffer.alloc(0)
  const partial = Buffer.concat([numberField(1, rejections.length), bytesField(2, explainRejections(rejections))])
  return bytesField(1, partial)
}

/** The response to a request that was taken. */
export function respondTaken(form: OtlpForm, outcome: SourceOutcome): SourceResponse {
  if (form === PROTOBUF) return { status: 200, contentType: form, body: encodeOutcome(outcome) }
  const { rejections } = outcome
  // The JSON mapping of protobuf writes 64-bit numbers as text.
  const partialSuccess = { rejectedLogRecords: String(rejections.length), errorMessage: explainRejections(rejections) }
  return { status: 200, contentType: form, body: JSON.stringify(rejections.length === 0 ? {} : { partialSuccess }) }
}

/** The response to a request that was refused whole: a google.rpc.Status, as the specification demands. */
export function respondRefused(form: OtlpForm, { error, status, detail }: SourceRefusal): SourceResponse {
  const code = KIND_TRAITS[error.kind].grpcStatus
  const message = `${error.code}: ${detail}`
  const body =
    form === PROTOBUF
      ? Buffer.concat([numberField(1, code), bytesField(2, message)])
      : JSON.stringify({ code, message })
  return { status, contentType: form, body }
}
