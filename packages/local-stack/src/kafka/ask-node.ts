import { once } from 'node:events'
import { connect } from 'node:net'

const TIMEOUT_MS = 5000

/**
 * Sends a request of Kafka's protocol, without its length, to the node that listens on 127.0.0.1:`port` without TLS and login. Uses a connection of its
 * own, and returns the reply without its length.
 * @throws when the node does not answer within 5 s
 */
export async function askNode(port: number, request: Buffer): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`the node on port ${port} does not answer`)))
  try {
    await once(socket, 'connect')
    const size = Buffer.alloc(4)
    size.writeInt32BE(request.length)
    socket.write(Buffer.concat([size, request]))
    let received = Buffer.alloc(0)
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) return received.subarray(4)
    }
    throw new Error(`the node on port ${port} closed the connection`)
  } finally {
    socket.destroy()
  }
}
