import { describe, expect, it } from '@jest/globals'
import type { BrokerNodes } from './broker-nodes.js'
import { ERROR_CODE } from './error-codes.js'
import { produce } from './produce.js'

/** A leader of partitions 0 and 1 that stores messages of 0 and refuses those of 1 with the code. */
function refusingNodes(errorCode: number) {
  const partitions = [0, 1].map((partition) => ({ partition, leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] }))
  let forgotten = 0
  const nodes = {
    topic: async () => ({ errorCode: 0, topic: 't', partitions }),
    connect: async () => ({}),
    limitOf: (_: unknown, timeoutMs: number) => timeoutMs,
    forget: () => void forgotten++,
    send: async () => [
      { partition: 0, errorCode: 0, offset: 5 },
      { partition: 1, errorCode, offset: -1 },
    ],
  } as unknown as BrokerNodes
  return { nodes, forgotten: () => forgotten }
}

describe('messages that a broker refuses', () => {
  it.each([
    ['are ambiguous, and the leaders are asked for again, when its disk has failed', 'kafkaStorageError', true, 1],
    ['are not stored when the user may not write', 'topicAuthorizationFailed', false, 0],
    ['are not stored when too few replicas are in sync', 'notEnoughReplicas', false, 0],
    ['are ambiguous, and the leaders are asked for again, when it leads no longer', 'notLeaderOrFollower', true, 1],
  ] as const)('%s, while messages of other partitions are stored', async (_, name, isAmbiguous, asked) => {
    const { nodes, forgotten } = refusingNodes(ERROR_CODE[name])
    const messages = [0, 1].map((partition) => ({ partition, value: Buffer.from('x'), timestampMs: 1 }))
    const [stored, refused] = await produce(nodes, 't', messages, 1000)
    expect(stored).toEqual({ kind: 'stored', offset: 5 })
    expect(refused).toMatchObject({ kind: 'failed', isAmbiguous })
    expect(forgotten()).toBe(asked)
  })
})
