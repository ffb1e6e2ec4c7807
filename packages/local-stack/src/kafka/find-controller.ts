import { once } from 'node:events'
import { connect } from 'node:net'

const API_DESCRIBE_QUORUM = 55
const TIMEOUT_MS = 5000

/**
 * The id of the node that is the active controller, asked from the node that listens on 127.0.0.1:`port` without TLS and login. Metadata does not tell
 * it: there, each broker names any broker.
 * @throws when the node does not answer, or knows no controller at present.
 */
export async function findController(port: number): Promise<number> {
  const reply = await ask(port, describeQuorum())
  // Correlation id, tags, error; one topic with its name; one partition with its index, error and leader. A compact length is one higher than the length.
  const topic = 4 + 1 + 2 + 1
  const partition = topic + (reply.readUInt8(topic) || 1) + 1
  const leader = partition + 4 + 2
  const error = reply.readInt16BE(5) || reply.readInt16BE(partition + 4)
  if (error !== 0) throw new Error(`the node on port ${port} knows no controller at present (error ${error})`)
  return reply.readInt32BE(leader)
}

/** A DescribeQuorum request, version 0, for the partition of the cluster's metadata. */
function describeQuorum(): Buffer {
  const topic = Buffer.from('__cluster_metadata')
  const header = Buffer.from([0, API_DESCRIBE_QUORUM, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0])
  const body = Buffer.concat([Buffer.from([2, topic.length + 1]), topic, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0])])
  const size = Buffer.alloc(4)
  size.writeInt32BE(header.length + body.length)
  return Buffer.concat([size, header, body])
}

/** Sends a request over a connection of its own and returns the reply without its length. */
async function ask(port: number, request: Buffer): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`the node on port ${port} does not answer`)))
  try {
    await once(socket, 'connect')
    socket.write(request)
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
