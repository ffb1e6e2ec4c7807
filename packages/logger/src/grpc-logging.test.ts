import * as grpc from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createLogger } from './create-logger.js'
import { createGrpcClientTracing, createGrpcServerLogging } from './grpc-logging.js'
import { currentContext, runWithContext } from './log-context.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const text = { serialize: (value: string) => Buffer.from(value), deserialize: (bytes: Buffer) => bytes.toString() }
const definition = {
  Echo: {
    path: '/test.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: text.serialize,
    requestDeserialize: text.deserialize,
    responseSerialize: text.serialize,
    responseDeserialize: text.deserialize,
  },
} as const

let written = ''
const logger = createLogger({
  service: 'test',
  samplePerSecond: 0,
  flushLines: 1,
  write: (lines) => {
    written += lines
  },
})
const server = new grpc.Server({ interceptors: [createGrpcServerLogging({ grpc, logger })] })
const Client = grpc.makeGenericClientConstructor(definition, 'Echo')
let client: grpc.Client &
  Record<string, (message: string, callback: (error: Error | null, answer?: string) => void) => void>

beforeAll(async () => {
  server.addService(definition, {
    Echo: (call: grpc.ServerUnaryCall<string, string>, callback: grpc.sendUnaryData<string>) => {
      if (call.request === 'fail') callback({ code: grpc.status.INTERNAL, details: 'no' })
      else if (call.request === 'deny') callback({ code: grpc.status.PERMISSION_DENIED, details: 'no' })
      else setTimeout(() => callback(null, currentContext()?.traceId ?? 'none'), 1)
    },
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    interceptors: [createGrpcClientTracing(grpc)],
  }) as unknown as typeof client
})
afterAll(() => {
  client.close()
  server.forceShutdown()
  logger.close()
})

function call(message: string): Promise<string | undefined> {
  return new Promise((resolve, reject) =>
    client.Echo?.(message, (error, answer) => (error === null ? resolve(answer) : reject(error))),
  )
}

function lastRecord(): Record<string, unknown> {
  return JSON.parse(written.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown>
}

describe('the gRPC interceptors', () => {
  it('carry the trace of a request into the called handler and onto its line', async () => {
    const seen = await runWithContext({ traceId: TRACE }, () => call('hello'))
    expect(seen).toBe(TRACE)
    expect(lastRecord()).toMatchObject({ level: 'info', method: '/test.Echo/Echo', status: 'OK', trace_id: TRACE })
  })

  it('make a trace for a call that has none', async () => {
    const seen = await call('hello')
    expect(seen).toMatch(/^(?!0{32})[0-9a-f]{32}$/)
    expect(lastRecord()).toMatchObject({ trace_id: seen })
  })

  it.each([
    ['fail', 'error', 'INTERNAL'],
    ['deny', 'warn', 'PERMISSION_DENIED'],
  ])('log a call that is answered by "%s" as %s with status %s', async (message, level, status) => {
    await expect(call(message)).rejects.toThrow('no')
    expect(lastRecord()).toMatchObject({ level, status })
  })
})
