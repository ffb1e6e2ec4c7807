import { coreErrors, defineErrors } from '@millrace/contracts'

/** What a request as a whole may be answered with, besides the codes of the stream and of the services behind. */
export const errors = {
  ...coreErrors,
  ...defineErrors({
    BATCH_TOO_LARGE: ['invalid', 'the batch is over the limit', { httpStatus: 413 }],
    INVALID_UTF8: ['invalid', 'the body is not valid UTF-8'],
    CORRUPT_ENCODING: ['invalid', 'the body does not decompress by its content encoding'],
    WRITE_KEY_REQUIRED: ['unauthenticated', 'a write key is needed: Authorization: Basic base64(key:), Bearer, or writeKey in the body'],
    KEY_UNKNOWN: ['unauthenticated', 'the key is not known, expired or revoked'],
    SCOPE_MISSING: ['denied', 'the key lacks the scope that this needs'],
    RATE_LIMITED: ['exhausted', 'the tenant sends more events than it may'],
    RECEIPT_FOREIGN: ['not_found', 'there is no such receipt'],
    KEY_NOT_FOUND: ['not_found', 'there is no such key'],
    NOT_BUILT_YET: ['not_found', 'this part of the contract is not built yet', { httpStatus: 501 }],
  }),
}
