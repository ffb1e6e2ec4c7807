import { createConnection } from 'node:net'
import type pg from 'pg'
import type { PgClient } from './pg-internals.js'

/** 1234 and 5678 in the two halves of the protocol version. */
const CANCEL_REQUEST = 80_877_102
const PACKET_BYTES = 16
const PACKET_LIMIT_MS = 5_000

/**
 * Asks the server to end the client's running statement when the signal aborts. The returned function stops that and returns whether the signal has
 * aborted. Then the connection must not be used again: the request may still be on its way and would end the next statement.
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
 * Sends the request on a connection of its own, as the protocol requires; never fails. The statement ends with SQLSTATE 57014, or normally if it was
 * faster. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
function requestCancel({ host, port, processID, secretKey }: PgClient): void {
  if (processID === null || secretKey === null) return
  const packet = Buffer.alloc(PACKET_BYTES)
  for (const [index, word] of [PACKET_BYTES, CANCEL_REQUEST, processID, secretKey].entries())
    packet.writeInt32BE(word, index * 4)
  const socket = createConnection(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  socket.on('error', () => undefined)
  // The server ends the connection; one that does not answer must not keep it open.
  socket.setTimeout(PACKET_LIMIT_MS, () => socket.destroy())
  socket.end(packet)
}
