import { coreErrors, defineErrors } from '@millrace/contracts'

/** The errors with which the intake refuses a request, besides those of keys and scopes. */
export const intakeErrors = {
  BODY_TOO_LARGE: coreErrors.BODY_TOO_LARGE,
  METHOD_NOT_ALLOWED: coreErrors.METHOD_NOT_ALLOWED,
  UNSUPPORTED_ENCODING: coreErrors.UNSUPPORTED_ENCODING,
  ...defineErrors({
    CORRUPT_ENCODING: ['invalid', 'the body cannot be decompressed with the method that Content-Encoding names'],
  }),
}
