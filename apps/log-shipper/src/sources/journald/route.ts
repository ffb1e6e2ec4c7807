import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import type { HttpSource } from '../../intake/http-source.js'
import { decodeWhole, mediaType, sourceErrors } from '../errors.js'
import { readKeyOfScheme } from '../read-key.js'
import { decodeJournal } from './decode.js'

const JOURNAL = 'application/vnd.fdo.journal'

/** What systemd-journal-upload sends to. */
export const journaldSource: HttpSource = {
  name: 'journald',
  routes: [
    {
      path: '/upload',
      encodings: CONTENT_ENCODINGS,
      readKey: readKeyOfScheme,
      decode: ({ headers, body }, sink) => {
        if (mediaType(headers['content-type']) !== JOURNAL)
          throw sourceErrors.UNSUPPORTED_CONTENT_TYPE({ message: `the content type must be ${JOURNAL}` })
        decodeWhole(() => decodeJournal(body, sink))
      },
      respond: () => ({ status: 202, contentType: 'text/plain; charset=utf-8', body: 'OK.\n' }),
    },
  ],
}
