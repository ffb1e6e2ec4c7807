import type { KeyVerifier, Principal } from '@millrace/auth'
import { requireScope } from '@millrace/auth'
import { type CallContext, type GrpcService, implementService } from '@millrace/service'
import type { AcceptLogs } from '../../intake/accept-logs.js'
import { decodeWhole } from '../errors.js'
import { keyOfHeaders } from '../read-key.js'
import { decodeOtlp } from './decode.js'
import { encodeOutcome } from './respond.js'

const asBytes = (bytes: Buffer): Buffer => bytes

/** The service of opentelemetry/proto/collector/logs/v1. Requests stay bytes, so that they go through the decoder of OTLP over HTTP. */
const LogsService = {
  export: {
    path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: asBytes,
    requestDeserialize: asBytes,
    responseSerialize: asBytes,
    responseDeserialize: asBytes,
  },
} as const

/** What the service for OTLP over gRPC hands its requests to. */
export interface OtlpGrpcDeps {
  readonly acceptLogs: AcceptLogs
  readonly verifier: Pick<KeyVerifier, 'verify' | 'verifyKey'>
  /** Called with the code of an error that refused a whole request. */
  readonly onRefused: (error: unknown) => void
}

/**
 * OTLP over gRPC, https://opentelemetry.io/docs/specs/otlp/#otlpgrpc. A request is answered when its records are safe. RESOURCE_EXHAUSTED and UNAVAILABLE
 * carry a RetryInfo, so clients send the request again; they do not after any other error.
 */
export function createOtlpGrpcService({ acceptLogs, verifier, onRefused }: OtlpGrpcDeps): GrpcService {
  return implementService(LogsService, {
    export: async (body, call) => {
      try {
        const principal = await authenticate(call, verifier)
        const outcome = await acceptLogs({ principal, source: 'otlp' }, (sink) =>
          decodeWhole(() => decodeOtlp(body, sink)),
        )
        return encodeOutcome(outcome)
      } catch (error) {
        onRefused(error)
        throw error
      }
    },
  })
}

/** The caller by the metadata `authorization` or `x-api-key`. */
async function authenticate({ metadata }: CallContext, verifier: OtlpGrpcDeps['verifier']): Promise<Principal> {
  const text = (name: string): string | undefined => {
    const [value] = metadata.get(name)
    return typeof value === 'string' ? value : undefined
  }
  const authorization = text('authorization')
  const key = keyOfHeaders({ authorization, 'x-api-key': text('x-api-key') })
  const principal = await (key === undefined ? verifier.verify(authorization) : verifier.verifyKey(key))
  requireScope(principal, 'write')
  return principal
}
