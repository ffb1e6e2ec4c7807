import { readFault } from '../../fields/decode-fault.js'
import type { SocketWire } from '../sockets/socket-wire.js'
import { ChunkAssembler, isChunk } from './chunk-assembler.js'
import { decodeGelf } from './decode.js'
import { type GelfFrame, GelfFramer } from './gelf-framer.js'
import { unpackGelf } from './unpack.js'

/** Longer messages are refused: the limit of a record, and room for the names and quotes of JSON. */
const MESSAGE_BYTES_MAX = 4 * 1_048_576

/** GELF over TCP, where a zero byte ends a message, and over UDP, where a message may come in chunks and compressed. */
export const gelfWire: SocketWire<GelfFrame> = {
  name: 'gelf',
  createFramer: () => new GelfFramer(MESSAGE_BYTES_MAX),
  createDatagramReader: (onDropped) => {
    const assembler = new ChunkAssembler(() => performance.now(), onDropped)
    return (datagram, peer) => {
      if (!isChunk(datagram)) return datagram.length === 0 ? undefined : { bytes: datagram, isTooLong: false }
      const assembled = assembler.push(datagram, peer)
      if (assembled.kind === 'invalid') onDropped(1)
      return assembled.kind === 'message' ? { bytes: assembled.bytes, isTooLong: false } : undefined
    }
  },
  addMessage: ({ bytes, isTooLong }, peer, { sink, index }) => {
    if (isTooLong) {
      sink.reject(index, 'invalid_record', `a message has more than ${MESSAGE_BYTES_MAX} bytes`)
      return
    }
    try {
      const record = decodeGelf(unpackGelf(bytes, MESSAGE_BYTES_MAX))
      sink.add(record.host === '' ? { ...record, host: peer } : record)
    } catch (error) {
      const { code, reason } = readFault(error)
      sink.reject(index, code, reason)
    }
  },
}
