import type { LogRejectionCode } from '../records/log-sink.js'

/**
 * One record, or the bytes around it, cannot be decoded. Sources catch it: it becomes the verdict of one record, or, where the end of the
 * record cannot be found, the refusal of the rest of the request.
 */
export class DecodeFault extends Error {
  readonly code: LogRejectionCode

  constructor(code: LogRejectionCode, reason: string) {
    super(reason)
    this.code = code
  }
}

/** The code and the reason of a caught fault. Errors that are not faults of the input are thrown again. */
export function readFault(error: unknown): { readonly code: LogRejectionCode; readonly reason: string } {
  if (error instanceof DecodeFault) return { code: error.code, reason: error.message }
  throw error
}
