import { isUtf8 } from 'node:buffer'
import { errors } from '../../errors.js'
import { type EventBody, type LocateEvents, locateSingle } from '../../events/event-body.js'
import type { ReceivedBody } from '../wire.js'

/** Headers that would clash with the members that the body and Content-Type make. */
const NOT_ATTRIBUTES: ReadonlySet<string> = new Set(['ce-data', 'ce-data_base64', 'ce-datacontenttype'])

/**
 * A binary-mode event as the same event in structured mode: its attributes come from the ce- headers and Content-Type, its data is the body.
 * A JSON body is not copied, text becomes a JSON string, everything else data_base64.
 */
export function toStructured({ headers, chunks, bytes }: ReceivedBody, contentType: string): EventBody {
  const attributes = Object.entries(headers)
    .filter(([name]) => name.startsWith('ce-') && !NOT_ATTRIBUTES.has(name))
    .map(
      ([name, value]) =>
        `${JSON.stringify(name.slice('ce-'.length))}:${JSON.stringify(decodeHeader(name, String(value)))}`,
    )
  const type = headers['content-type']
  if (type !== undefined) attributes.push(`"datacontenttype":${JSON.stringify(decodeHeader('content-type', type))}`)
  if (bytes === 0) return wrap(`{${attributes.join(',')}`, [], locateSingle)
  const isJson = /[/+]json$/.test(contentType)
  if (isJson) {
    const prefix = `{${[...attributes, '"data":'].join(',')}`
    const start = Buffer.byteLength(prefix)
    // Without this check a body such as `1,"id":"x"` could replace attributes.
    return wrap(prefix, chunks, (body) => {
      body.scanner.checkOneValue(start, start + bytes)
      return locateSingle(body)
    })
  }
  const data = Buffer.concat(chunks)
  const isText = (contentType.startsWith('text/') || /[/+]xml$/.test(contentType)) && isUtf8(data)
  const member = isText ? `"data":${JSON.stringify(data.toString())}` : `"data_base64":"${data.toString('base64')}"`
  return wrap(`{${[...attributes, member].join(',')}`, [], locateSingle)
}

function wrap(prefix: string, data: readonly Buffer[], locate: LocateEvents): EventBody {
  const chunks = [Buffer.from(prefix), ...data, Buffer.from('}')]
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return { chunks, bytes, prefixBytes: Buffer.byteLength(prefix), pathType: -1, locate }
}

/** A header value as text: quotes removed, then percent-encoded UTF-8 decoded (section 3.1.3.2 of the HTTP binding). */
function decodeHeader(name: string, value: string): string {
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"')
  const plain = isQuoted ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value
  if (/^[\x20-\x24\x26-\x7e]*$/.test(plain)) return plain
  // node:http makes one character of each byte. A percent sign that does not begin an escape stands for itself.
  const latin1 = plain.replaceAll(/%([0-9A-Fa-f]{2})/g, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  const utf8 = Buffer.from(latin1, 'latin1')
  if (!isUtf8(utf8)) throw errors.INVALID_REQUEST({ message: `the header ${name} is not valid UTF-8` })
  return utf8.toString()
}
