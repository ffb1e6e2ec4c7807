import { coreErrors, defineErrors } from '@millrace/contracts'

/** The errors of a whole request, besides those of http-intake, of keys and rate limits, of the stream and of the services behind. */
export const errors = {
  ...coreErrors,
  ...defineErrors({
    BATCH_TOO_LARGE: ['invalid', 'the batch is over the limit', { httpStatus: 413 }],
    INVALID_UTF8: ['invalid', 'the body is not valid UTF-8'],
    WATERMARK_NOT_REACHED: ['unavailable', 'the stored events do not reach min_watermark yet'],
    LIVE_TICKET_INVALID: ['denied', 'the ticket has expired or was never issued: request a new one'],
    RECEIPT_FOREIGN: ['not_found', 'there is no such receipt'],
  }),
}
