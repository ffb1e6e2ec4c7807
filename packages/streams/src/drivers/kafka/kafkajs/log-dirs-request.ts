import { WireReader } from '../wire.js'
import type { WireRequest } from './internals.js'

/** A directory of a broker with the logs in it. */
interface LogDir {
  readonly partitions: readonly { readonly topic: string; readonly bytes: number }[]
  /** Free bytes of the disk; negative when the broker does not know. */
  readonly usableBytes: number
}

const API = { apiKey: 35, apiVersion: 4, apiName: 'DescribeLogDirs' } as const

/** DescribeLogDirs, version 4 (Kafka 3.3 and later), for all topics. kafkajs does not know this request. */
export const logDirsRequest = {
  apiKey: API.apiKey,
  apiVersion: API.apiVersion,
  create: (): WireRequest<{ readonly errorCode: number; readonly dirs: readonly LogDir[] }> => ({
    request: {
      ...API,
      // Empty tags end the request header of a flexible version; then come null topics and empty tags.
      encode: async () => ({ buf: BODY, buffer: BODY }),
    },
    response: { decode: async (body) => decode(body), parse: async (decoded) => decoded },
  }),
}

const BODY = Buffer.from([0, 0, 0])

function decode(body: Buffer): { errorCode: number; dirs: LogDir[] } {
  const reader = new WireReader(body)
  reader.skipTags()
  reader.skip(4)
  const errorCode = reader.int16()
  const dirs = reader.compactArray((dir) => {
    dir.skip(2)
    dir.compactString()
    const topics = dir.compactArray(decodeTopic)
    dir.skip(8)
    const usableBytes = dir.int64()
    dir.skipTags()
    return { partitions: topics.flat(), usableBytes }
  })
  return { errorCode, dirs }
}

function decodeTopic(reader: WireReader): { topic: string; bytes: number }[] {
  const topic = reader.compactString()
  const partitions = reader.compactArray((partition) => {
    partition.skip(4)
    const bytes = partition.int64()
    partition.skip(9)
    partition.skipTags()
    return { topic, bytes }
  })
  reader.skipTags()
  return partitions
}
