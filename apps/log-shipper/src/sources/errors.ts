import { coreErrors, defineErrors } from '@millrace/contracts'
import { DecodeFault } from '../fields/decode-fault.js'

/** The errors with which sources refuse whole requests. */
export const sourceErrors = {
  MALFORMED_BODY: coreErrors.MALFORMED_BODY,
  ...defineErrors({
    UNSUPPORTED_CONTENT_TYPE: ['invalid', 'the content type is not one that the path takes', { httpStatus: 415 }],
  }),
}

/**
 * Runs a decoder. A fault that concerns the whole request refuses it.
 * @throws MALFORMED_BODY
 */
export function decodeWhole(decode: () => void): void {
  try {
    decode()
  } catch (error) {
    if (error instanceof DecodeFault) throw sourceErrors.MALFORMED_BODY({ message: error.message, cause: error })
    throw error
  }
}

/** The media type of a Content-Type header in lower case, without parameters; '' when there is none. */
export function mediaType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}
