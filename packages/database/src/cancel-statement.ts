import { createConnection } from 'node:net'
import type pg from 'pg'
import type { PgClient } from './pg-internals.js'

/** "1234" and "5678" in the two halves of a protocol version, which no version will have. */
const CANCEL_REQUEST = 80_877_102
const PACKET_BYTES = 16

/**
 * Has the server end whatever the client runs when the signal aborts. The returned function ends that and says whether it has happened: then the
 * connection is not to be used again, for the request may still be on its way and would meet the next user's statement.
 */
export function cancelOnAbort(client: pg.ClientBase, signal: AbortSignal | undefined): () => boolean {
  const cancel = () => requestCancel(client as unknown as PgClient)
  signal?.addEventListener('abort', cancel, { once: true })
  return () => {
    signal?.removeEventListener('abort', cancel)
    return signal?.aborted === true
  }
}

/**
 * By a connection of its own, as the protocol wants it; never fails. The statement ends with SQLSTATE 57014, or as if nothing had been asked.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
function requestCancel({ host, port, processID, secretKey }: PgClient): void {
  if (processID === null || secretKey === null) return
  const packet = Buffer.alloc(PACKET_BYTES)
  for (const [index, word] of [PACKET_BYTES, CANCEL_REQUEST, processID, secretKey].entries())
    packet.writeInt32BE(word, index * 4)
  const socket = createConnection(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  socket.on('error', () => undefined)
  socket.end(packet)
}
