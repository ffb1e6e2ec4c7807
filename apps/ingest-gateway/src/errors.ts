import { coreErrors, defineErrors } from '@millrace/contracts'

/** What a request as a whole may be answered with, besides the codes of keys and limits, of the stream and of the services behind. */
export const errors = {
  ...coreErrors,
  ...defineErrors({
    BATCH_TOO_LARGE: ['invalid', 'the batch is over the limit', { httpStatus: 413 }],
    INVALID_UTF8: ['invalid', 'the body is not valid UTF-8'],
    CORRUPT_ENCODING: ['invalid', 'the body does not decompress by its content encoding'],
    WATERMARK_NOT_REACHED: ['unavailable', 'what is stored does not go as far as min_watermark yet'],
    RECEIPT_FOREIGN: ['not_found', 'there is no such receipt'],
  }),
}
