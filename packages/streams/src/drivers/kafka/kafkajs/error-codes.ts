import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'

const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error') as {
  createErrorFromCode(code: number): Error & { readonly type: string }
}

/** The error codes of the protocol that are handled by name. https://kafka.apache.org/protocol.html#protocol_error_codes */
export const ERROR_CODE = {
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  invalidTopic: 17,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  invalidRequiredAcks: 21,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  unsupportedVersion: 35,
  policyViolation: 44,
  kafkaStorageError: 56,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  unsupportedCompression: 76,
  offsetNotAvailable: 78,
  invalidRecord: 87,
} as const

/**
 * Errors that a broker gives before it appends anything. Others may come after the append: NOT_LEADER_OR_FOLLOWER, for example, also answers a
 * request that was waiting for its replicas when the leader changed.
 */
const NOT_STORED = new Set<number>([
  ERROR_CODE.corruptMessage,
  ERROR_CODE.leaderNotAvailable,
  ERROR_CODE.messageTooLarge,
  ERROR_CODE.invalidTopic,
  ERROR_CODE.recordListTooLarge,
  ERROR_CODE.notEnoughReplicas,
  ERROR_CODE.invalidRequiredAcks,
  ERROR_CODE.topicAuthorizationFailed,
  ERROR_CODE.clusterAuthorizationFailed,
  ERROR_CODE.invalidTimestamp,
  ERROR_CODE.unsupportedVersion,
  ERROR_CODE.policyViolation,
  ERROR_CODE.unsupportedCompression,
  ERROR_CODE.invalidRecord,
])

/** Errors after which another broker may be the leader. */
const MOVED = new Set<number>([
  ERROR_CODE.unknownTopicOrPartition,
  ERROR_CODE.leaderNotAvailable,
  ERROR_CODE.notLeaderOrFollower,
  ERROR_CODE.replicaNotAvailable,
  // The disk of the partition has failed: the broker will lead it no longer.
  ERROR_CODE.kafkaStorageError,
  ERROR_CODE.fencedLeaderEpoch,
  ERROR_CODE.unknownLeaderEpoch,
  ERROR_CODE.offsetNotAvailable,
])

/** Whether messages that a broker refused with this code may be stored all the same. */
export function mayBeStored(code: number): boolean {
  return !NOT_STORED.has(code)
}

export function isMoved(code: number): boolean {
  return MOVED.has(code)
}

/** The error for a code, with the name that Kafka's documentation uses. */
export function kafkaError(code: number, subject: string): Error & { readonly type: string } {
  const { type, message } = createErrorFromCode(code)
  return Object.assign(new Error(`${subject}: ${type} (${message})`), { type })
}

/** Whether a broker answered with an error code; its connection is still good then. */
export function isProtocolError(error: unknown): boolean {
  const { KafkaJSProtocolError, KafkaJSAggregateError, KafkaJSDeleteTopicRecordsError } = kafkajs
  return [KafkaJSProtocolError, KafkaJSAggregateError, KafkaJSDeleteTopicRecordsError].some(
    (type) => error instanceof type,
  )
}
