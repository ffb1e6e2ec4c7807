import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import type { HttpSource } from '../../intake/http-source.js'
import type { LogSink } from '../../records/log-sink.js'
import { decodeWhole } from '../errors.js'
import { explainRejections } from '../explain-rejections.js'
import { forEachLine, isBlank } from '../json-lines.js'
import { readKeyOfScheme } from '../read-key.js'
import { decodeGelf } from './decode.js'

/** GELF over HTTP: one message, or one a line. */
export const gelfSource: HttpSource = {
  name: 'gelf',
  routes: [
    {
      path: '/gelf',
      encodings: CONTENT_ENCODINGS,
      readKey: readKeyOfScheme,
      decode: ({ body }, sink) => decodeWhole(() => decodeGelfBody(body, sink)),
      // Clients do not repeat a request after 400; what was not refused is kept.
      respond: (_request, { rejections }) =>
        rejections.length === 0
          ? { status: 202, body: '' }
          : { status: 400, contentType: 'text/plain; charset=utf-8', body: explainRejections(rejections) },
    },
  ],
}

/**
 * A body that is one message may have line feeds in it; otherwise each line is a message.
 * @throws DecodeFault when the body is neither
 */
function decodeGelfBody(body: Buffer, sink: LogSink): void {
  try {
    sink.add(decodeGelf(body))
    return
  } catch (error) {
    const fault = readFault(error)
    const feed = body.indexOf('\n')
    if (feed < 0 || isBlank(body.subarray(feed))) throw new DecodeFault(fault.code, fault.reason)
  }
  let index = 0
  forEachLine(body, (line) => {
    if (isBlank(line)) return
    try {
      sink.add(decodeGelf(line))
    } catch (error) {
      const { code, reason } = readFault(error)
      sink.reject(index, code, reason)
    }
    index++
  })
}
