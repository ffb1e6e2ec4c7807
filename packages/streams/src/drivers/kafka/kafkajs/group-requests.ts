import type { JoinAnswer, JoinRequest, MemberIdentity } from '../group/group-protocol.js'
import { WireReader, WireWriter } from '../wire.js'
import type { WireRequest } from './internals.js'

/** An answer of the coordinator: `value` counts only without an error. */
export interface GroupAnswer<T> {
  readonly errorCode: number
  readonly value: T
}

/** JoinGroup, version 5. kafkajs' own request leaves out the name of the instance. */
export function joinRequest(group: string, join: JoinRequest): WireRequest<GroupAnswer<JoinAnswer>> {
  const { memberId, instance, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = join
  return request(
    { apiKey: 11, apiVersion: 5, apiName: 'JoinGroup' },
    (out) => {
      out.string(group).int32(sessionTimeoutMs).int32(rebalanceTimeoutMs).string(memberId)
      nullableString(out, instance).string('consumer').int32(protocols.length)
      for (const { name, metadata } of protocols) out.string(name).int32(metadata.length).raw(metadata)
    },
    (reader) => {
      const errorCode = reader.int16()
      const generation = reader.int32()
      reader.string()
      const leader = reader.string()
      const own = reader.string()
      const members = reader.array((member) => {
        const id = member.string()
        member.nullableString()
        return { memberId: id, metadata: member.bytes() }
      })
      return { errorCode, value: { generation, leader, memberId: own, members } }
    },
  )
}

/** SyncGroup, version 3. */
export function syncRequest(
  group: string,
  { memberId, instance, generation }: MemberIdentity,
  assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
): WireRequest<GroupAnswer<Buffer>> {
  return request(
    { apiKey: 14, apiVersion: 3, apiName: 'SyncGroup' },
    (out) => {
      nullableString(out.string(group).int32(generation).string(memberId), instance).int32(assignments.length)
      for (const one of assignments) out.string(one.memberId).int32(one.assignment.length).raw(one.assignment)
    },
    (reader) => ({ errorCode: reader.int16(), value: reader.bytes() }),
  )
}

/** Heartbeat, version 3. */
export function heartbeatRequest(
  group: string,
  { memberId, instance, generation }: MemberIdentity,
): WireRequest<GroupAnswer<undefined>> {
  return request(
    { apiKey: 12, apiVersion: 3, apiName: 'Heartbeat' },
    (out) => {
      nullableString(out.string(group).int32(generation).string(memberId), instance)
    },
    (reader) => ({ errorCode: reader.int16(), value: undefined }),
  )
}

/** LeaveGroup, version 3. */
export function leaveRequest(
  group: string,
  { memberId, instance }: MemberIdentity,
): WireRequest<GroupAnswer<undefined>> {
  return request(
    { apiKey: 13, apiVersion: 3, apiName: 'LeaveGroup' },
    (out) => {
      nullableString(out.string(group).int32(1).string(memberId), instance)
    },
    (reader) => ({ errorCode: reader.int16(), value: undefined }),
  )
}

/** OffsetCommit, version 7, of one topic. */
export function commitRequest(
  { group, topic }: { readonly group: string; readonly topic: string },
  { memberId, instance, generation }: MemberIdentity,
  offsets: readonly { readonly partition: number; readonly offset: number }[],
): WireRequest<GroupAnswer<undefined>> {
  return request(
    { apiKey: 8, apiVersion: 7, apiName: 'OffsetCommit' },
    (out) => {
      nullableString(out.string(group).int32(generation).string(memberId), instance)
      out.int32(1).string(topic).int32(offsets.length)
      for (const { partition, offset } of offsets) out.int32(partition).int64(offset).int32(-1).int16(-1)
    },
    (reader) => {
      const codes = reader.array((one) => {
        one.string()
        return one.array((partition) => {
          partition.int32()
          return partition.int16()
        })
      })
      return { errorCode: codes.flat().find((code) => code !== 0) ?? 0, value: undefined }
    },
  )
}

/** Requests of a group are small: the metadata or assignments of all members. */
const REQUEST_BYTES_MAX = 1024 * 1024

function request<T>(
  api: { readonly apiKey: number; readonly apiVersion: number; readonly apiName: string },
  write: (out: WireWriter) => void,
  read: (reader: WireReader) => GroupAnswer<T>,
): WireRequest<GroupAnswer<T>> {
  return {
    request: {
      ...api,
      encode: async () => {
        const out = new WireWriter(REQUEST_BYTES_MAX)
        write(out)
        const body = Buffer.from(out.written)
        return { buf: body, buffer: body }
      },
    },
    response: {
      decode: async (body) => {
        const reader = new WireReader(body)
        // The time for which the broker throttled the request.
        reader.int32()
        return read(reader)
      },
      parse: async (decoded) => decoded,
    },
  }
}

function nullableString(out: WireWriter, value: string | undefined): WireWriter {
  return value === undefined ? out.int16(-1) : out.string(value)
}
