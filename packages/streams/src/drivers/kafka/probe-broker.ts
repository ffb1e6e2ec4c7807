import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { KafkaConnection } from './connection.js'

/** What a broker answers before any login. */
export interface BrokerAnswer {
  /** The error code for the requested login. https://kafka.apache.org/protocol.html#protocol_error_codes */
  readonly errorCode: number
  /** The logins that it offers; empty when it wants none. */
  readonly mechanisms: readonly string[]
}

/** What was found instead of a broker that speaks the expected protocol. */
export class ProbeError extends Error {
  readonly reason: 'timeout' | 'closed' | 'tls_expected' | 'other_program'

  constructor(reason: ProbeError['reason']) {
    super(`the probe of a broker ended: ${reason}`)
    this.reason = reason
  }
}

const SASL_HANDSHAKE = 17
/** Longer than any answer to the request. */
const ANSWER_BYTES_MAX = 64 * 1024
/** The first byte of a TLS alert, which a TLS server may send to a client without TLS. */
const TLS_ALERT = 0x15

/**
 * Connects to one broker and asks for the login of `connection`, without sending a user or a password. A client library would not tell the difference
 * between a port with TLS, a port that wants a login, and another program.
 * @throws ProbeError, or the error of the socket or of TLS
 */
export function probeBroker(
  address: { readonly host: string; readonly port: number },
  connection: KafkaConnection,
  timeoutMs: number,
): Promise<BrokerAnswer> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(address, connection)
    let received = Buffer.alloc(0)
    const end = (settle: () => void) => {
      clearTimeout(timer)
      socket.destroy()
      settle()
    }
    const fail = (error: Error) => end(() => reject(error))
    const timer = setTimeout(() => fail(new ProbeError('timeout')), timeoutMs)
    socket.once(connection.tls === undefined ? 'connect' : 'secureConnect', () =>
      socket.write(saslHandshake(connection.sasl?.mechanism.toUpperCase() ?? 'NONE')),
    )
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const outcome = readAnswer(received)
      if (outcome instanceof ProbeError) fail(outcome)
      else if (outcome !== undefined) end(() => resolve(outcome))
    })
    socket.on('error', fail)
    socket.on('close', () => fail(new ProbeError('closed')))
  })
}

function openSocket({ host, port }: { host: string; port: number }, { tls }: KafkaConnection): Socket {
  if (tls === undefined) return connectTcp({ host, port })
  return connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...tls })
}

/** SaslHandshake, version 1. Every broker answers it, also one that wants no login. */
function saslHandshake(mechanism: string): Buffer {
  const clientId = 'millrace-check'
  const out = Buffer.alloc(4 + 8 + 2 + clientId.length + 2 + mechanism.length)
  let at = out.writeInt32BE(out.length - 4, 0)
  at = out.writeInt16BE(SASL_HANDSHAKE, at)
  at = out.writeInt16BE(1, at)
  at = out.writeInt32BE(1, at)
  at = out.writeInt16BE(clientId.length, at)
  at += out.write(clientId, at)
  at = out.writeInt16BE(mechanism.length, at)
  out.write(mechanism, at)
  return out
}

/** Undefined while bytes are missing. */
function readAnswer(received: Buffer): BrokerAnswer | ProbeError | undefined {
  if (received[0] === TLS_ALERT && (received[1] ?? 3) === 3) return new ProbeError('tls_expected')
  if (received.length < 4) return undefined
  const size = received.readInt32BE(0)
  if (size < 10 || size > ANSWER_BYTES_MAX) return new ProbeError('other_program')
  if (received.length < 4 + size) return undefined
  try {
    const errorCode = received.readInt16BE(8)
    const mechanisms: string[] = []
    let at = 14
    for (let left = received.readInt32BE(10); left > 0; left--) {
      const length = received.readInt16BE(at)
      mechanisms.push(received.toString('utf8', at + 2, at + 2 + length))
      at += 2 + length
    }
    return { errorCode, mechanisms }
  } catch {
    return new ProbeError('other_program')
  }
}
