import { askNode } from './ask-node.js'

const API_DESCRIBE_QUORUM = 55

/**
 * The id of the node that is the active controller, asked from the node that listens on 127.0.0.1:`port` without TLS and login. Metadata does not tell
 * it: there, each broker names any broker.
 * @throws when the node does not answer, or knows no controller at present.
 */
export async function findController(port: number): Promise<number> {
  const reply = await askNode(port, describeQuorum())
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
  return Buffer.concat([header, body])
}
