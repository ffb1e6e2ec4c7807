import type { SocketWire } from '../sockets/socket-wire.js'
import { decodeSyslog } from './decode.js'
import { type SyslogFrame, SyslogFramer } from './syslog-framer.js'

/** Beyond it a message is cut; limits of records hold for what is in it. */
const FRAME_BYTES_MAX = 1_048_576

/** Syslog: a datagram is one message, and a line without a host gets the address of its sender. */
export const syslogWire: SocketWire<SyslogFrame> = {
  name: 'syslog',
  createFramer: () => new SyslogFramer(FRAME_BYTES_MAX),
  createDatagramReader: () => (datagram) => {
    let { length } = datagram
    while (length > 0 && (datagram[length - 1] as number) <= 0x0d) length--
    return length === 0 ? undefined : { bytes: datagram.subarray(0, length), originalBytes: 0 }
  },
  addMessage: (frame, peer, { sink, receivedAtMs }) => {
    const record = decodeSyslog(frame, receivedAtMs)
    sink.add(record.host === '' ? { ...record, host: peer } : record)
  },
}
