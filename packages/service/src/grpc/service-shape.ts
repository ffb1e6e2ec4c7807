/** One method as ts-proto describes it for grpc-js. */
export interface MethodShape {
  readonly path: string
  readonly requestStream: boolean
  readonly responseStream: boolean
  requestSerialize(value: never): Buffer
  requestDeserialize(bytes: Buffer): unknown
  responseSerialize(value: never): Buffer
  responseDeserialize(bytes: Buffer): unknown
}

/** A generated service definition, such as `ConsumerServiceService`. Unary and server-streaming methods are supported. */
export type ServiceShape = Readonly<Record<string, MethodShape>>

/** The request message of a method. */
export type RequestOf<Method extends MethodShape> = ReturnType<Method['requestDeserialize']>
/** The response message of a method. */
export type ResponseOf<Method extends MethodShape> = ReturnType<Method['responseDeserialize']>

/** Name of the service in `/package.Service/Method`. */
export function serviceNameOf(definition: ServiceShape): string {
  const path = Object.values(definition)[0]?.path ?? ''
  return path.split('/')[1] ?? ''
}
