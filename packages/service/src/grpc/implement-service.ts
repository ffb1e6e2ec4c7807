import { once } from 'node:events'
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerErrorResponse,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { CallContext } from './call-context.js'
import type { CallOutcome, CallScope, CallScopes } from './call-scope.js'
import { type MethodShape, type RequestOf, type ResponseOf, type ServiceShape, serviceNameOf } from './service-shape.js'
import { toStatus } from './status-mapping.js'
import { untilAborted } from './until-aborted.js'

/** A unary method is an async function, a server-streaming one an async generator. Errors become a gRPC status with our error code. */
export type Handlers<Service extends ServiceShape> = {
  readonly [Name in keyof Service]: Service[Name]['responseStream'] extends true
    ? (request: RequestOf<Service[Name]>, call: CallContext) => AsyncIterable<ResponseOf<Service[Name]>>
    : (request: RequestOf<Service[Name]>, call: CallContext) => Promise<ResponseOf<Service[Name]>>
}

/** A service with its handlers, for startGrpcServer. */
export interface GrpcService {
  readonly name: string
  readonly definition: ServiceDefinition
  readonly implement: (scopes: CallScopes) => UntypedServiceImplementation
}

/** Pairs a service definition with its handlers for `startGrpcServer`. */
export function implementService<Service extends ServiceShape>(
  definition: Service,
  handlers: Handlers<Service>,
): GrpcService {
  return {
    name: serviceNameOf(definition),
    definition: definition as unknown as ServiceDefinition,
    implement: (scopes) =>
      Object.fromEntries(
        Object.entries(definition).map(([name, method]) => [
          name,
          createHandler(method, handlers[name] as AnyHandler, scopes),
        ]),
      ),
  }
}

type AnyHandler = (request: unknown, call: CallContext) => unknown

function createHandler(method: MethodShape, handler: AnyHandler, scopes: CallScopes) {
  if (method.requestStream) throw new TypeError(`${method.path}: streams from the client are not supported`)
  return method.responseStream
    ? createStreamHandler(method, handler, scopes)
    : createUnaryHandler(method, handler, scopes)
}

function createUnaryHandler(
  method: MethodShape,
  handler: AnyHandler,
  scopes: CallScopes,
): handleUnaryCall<unknown, unknown> {
  return (call: ServerUnaryCall<unknown, unknown>, callback) => {
    const scope = scopes.open(method.path, call, true)
    const work = () => untilAborted(Promise.resolve(handler(call.request, scope.context)), scope.context.signal)
    void answerUnary(scope.run(work), callback)
  }
}

async function answerUnary(running: Promise<CallOutcome<unknown>>, callback: sendUnaryData<unknown>): Promise<void> {
  const outcome = await running
  if (outcome.kind === 'ok') callback(null, outcome.value)
  else callback(toStatus(outcome.error))
}

function createStreamHandler(
  method: MethodShape,
  handler: AnyHandler,
  scopes: CallScopes,
): handleServerStreamingCall<unknown, unknown> {
  return (call: ServerWritableStream<unknown, unknown>) => {
    const scope = scopes.open(method.path, call, false)
    const work = () => writeAll(call, handler(call.request, scope.context) as AsyncIterable<unknown>, scope)
    void scope.run(work).then((outcome) => {
      if (outcome.kind === 'ok') call.end()
      else call.emit('error', toStatus(outcome.error) as unknown as ServerErrorResponse)
    })
  }
}

/** Writes messages as fast as the client reads them. */
async function writeAll(
  call: ServerWritableStream<unknown, unknown>,
  messages: AsyncIterable<unknown>,
  { context }: CallScope,
): Promise<void> {
  const { signal } = context
  const iterator = messages[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), signal)
      if (next.done === true) return
      if (!call.write(next.value)) await once(call, 'drain', { signal })
    }
  } finally {
    // Not awaited: a generator that hangs must not delay the end of the call.
    void iterator.return?.().catch(() => undefined)
  }
}
