import { Client, credentials } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { coreErrors, defineErrors, descriptorSet, HealthServiceService } from '@millrace/contracts'
import { createLogger, currentContext, type RootLogger, runWithContext } from '@millrace/logger'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { waitFor } from '@millrace/testing'
import type { CallContext } from '../src/grpc/call-context.js'
import { type Calls, createGrpcClient, type GrpcClientConfig } from '../src/grpc/create-grpc-client.js'
import { type Handlers, implementService } from '../src/grpc/implement-service.js'
import { startGrpcServer } from '../src/grpc/start-grpc-server.js'

const json = {
  serialize: (value: unknown) => Buffer.from(JSON.stringify(value)),
  parse: (bytes: Buffer): unknown => JSON.parse(bytes.toString()),
}
const method = <const Path extends string, const Stream extends boolean>(path: Path, responseStream: Stream) => ({
  path,
  requestStream: false as const,
  responseStream,
  requestSerialize: (value: { what: string }) => json.serialize(value),
  requestDeserialize: (bytes: Buffer) => json.parse(bytes) as { what: string },
  responseSerialize: (value: { answer: unknown }) => json.serialize(value),
  responseDeserialize: (bytes: Buffer) => json.parse(bytes) as { answer: unknown },
})
/** Shaped as ts-proto's output, with JSON for bytes. */
const EchoService = { ask: method('/millrace.test.Echo/Ask', false), watch: method('/millrace.test.Echo/Watch', true) }
const errors = defineErrors({
  BATCH_TOO_LARGE: ['invalid', 'the batch is over the limit', { httpStatus: 413 }],
  TABLE_BROKEN: ['internal', 'relation "events" is gone'],
})

let logger: RootLogger
let metrics: ReturnType<typeof createMetrics>
let stops: (() => void | Promise<void>)[]
let address: string

async function serve(
  handlers: Partial<Handlers<typeof EchoService>>,
  client: GrpcClientConfig = {},
): Promise<Calls<typeof EchoService>> {
  const deps = { logger, metrics: createGrpcMetrics(metrics), tracer: noopTracer }
  const none = {
    ask: async () => ({ answer: 1 }),
    watch: async function* () {
      yield { answer: 1 }
    },
  }
  const services = [implementService(EchoService, { ...none, ...handlers })]
  const [server, stopServer] = await startGrpcServer({ port: 0, drainTimeoutMs: 60_000 }, { ...deps, services })
  address = `127.0.0.1:${server.port}`
  const [calls, stopClient] = createGrpcClient({ service: EchoService }, address, { name: 'echo', ...client }, deps)
  stops.push(stopClient, stopServer)
  return calls
}

beforeEach(() => {
  stops = []
  metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
  logger = createLogger({ service: 'test', level: 'fatal', write: () => undefined })
})

afterEach(async () => {
  for (const stop of stops) await stop()
  logger.close()
})

describe('a gRPC call', () => {
  it('passes trace, request, tenant and caller on to the handler and its log lines', async () => {
    const ids = {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      requestId: 'r-1',
      tenant: 'münchen',
      userId: 'key:7',
    }
    const calls = await serve({
      ask: async (_request, call) => ({
        answer: {
          tenant: call.tenant,
          caller: call.caller,
          hasDeadline: call.deadline instanceof Date,
          log: currentContext(),
        },
      }),
    })
    const { answer } = await runWithContext(ids, () => calls.ask({ what: 'x' }))
    expect(answer).toMatchObject({
      tenant: 'münchen',
      caller: 'key:7',
      hasDeadline: true,
      log: { traceId: ids.traceId, requestId: 'r-1', tenant: 'münchen', userId: 'key:7' },
    })
  })

  it.each([
    [
      'a refusal',
      errors.BATCH_TOO_LARGE({ details: { limit: 5 } }),
      {
        code: 'BATCH_TOO_LARGE',
        kind: 'invalid',
        message: 'the batch is over the limit',
        httpStatus: 413,
        retryable: false,
        details: { limit: 5 },
      },
    ],
    [
      'a temporary failure',
      coreErrors.EXHAUSTED({ retryAfterSeconds: 0.001 }),
      { code: 'EXHAUSTED', kind: 'exhausted', retryable: true, retryAfterSeconds: 0.001 },
    ],
    [
      'an internal error without its message',
      errors.TABLE_BROKEN(),
      { code: 'TABLE_BROKEN', kind: 'internal', message: 'the server failed unexpectedly' },
    ],
    [
      'a foreign error without its message',
      new TypeError('x is undefined'),
      { code: 'INTERNAL', message: 'the server failed unexpectedly' },
    ],
  ])('returns %s to the caller with code, kind and details', async (_what, thrown, expected) => {
    const calls = await serve({ ask: () => Promise.reject(thrown) }, { policy: { retry: false } })
    await expect(calls.ask({ what: 'x' })).rejects.toMatchObject(expected)
  })

  it('is retried when the error is retryable, and measured once', async () => {
    let attempts = 0
    const ask = async () => {
      if (++attempts < 3) throw coreErrors.EXHAUSTED()
      return { answer: attempts }
    }
    const calls = await serve({ ask }, { policy: { retry: { firstDelayMs: 1 } } })
    expect(await calls.ask({ what: 'x' })).toEqual({ answer: 3 })
    expect(await metrics.expose()).toMatch(
      /grpc_client_duration_seconds_count\{method="millrace.test.Echo\/Ask",code="OK",service="test"\} 1/,
    )
  })

  it('ends at its deadline in client and server', async () => {
    let signal: AbortSignal | undefined
    let isAnswering = true
    const ask = (_request: unknown, call: CallContext) => {
      if (isAnswering) return Promise.resolve({ answer: 1 })
      signal = call.signal
      return new Promise<never>(() => undefined)
    }
    const calls = await serve({ ask })
    // Connects: the deadline below is for the call alone.
    await calls.ask({ what: 'x' })
    isAnswering = false
    await expect(calls.ask({ what: 'x' }, { deadlineMs: 1000 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      httpStatus: 503,
    })
    await waitFor(() => signal?.aborted === true)
  })

  it('is aborted in the handler when the caller cancels it', async () => {
    let signal: AbortSignal | undefined
    const ask = (_request: unknown, call: CallContext) => {
      signal = call.signal
      return new Promise<never>(() => undefined)
    }
    const calls = await serve({ ask })
    const controller = new AbortController()
    const asked = calls.ask({ what: 'x' }, { signal: controller.signal })
    await waitFor(() => signal !== undefined)
    controller.abort()
    await expect(asked).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
    await waitFor(() => signal?.aborted === true)
  })

  it('to an unreachable peer fails with the name of the peer', async () => {
    const deps = { logger, metrics: createGrpcMetrics(metrics), tracer: noopTracer }
    const [calls, stop] = createGrpcClient(
      { service: EchoService },
      '127.0.0.1:1',
      { name: 'echo', policy: { retry: false } },
      deps,
    )
    stops.push(stop)
    await expect(calls.ask({ what: 'x' })).rejects.toMatchObject({
      code: 'DEPENDENCY_UNAVAILABLE',
      message: 'echo cannot be reached',
      retryable: true,
    })
  })
})

describe('a gRPC stream', () => {
  it('delivers all messages in order, as fast as the reader reads', async () => {
    const watch = async function* () {
      for (let i = 0; i < 5_000; i++) yield { answer: i }
    }
    const calls = await serve({ watch })
    let expected = 0
    for await (const { answer } of calls.watch({ what: 'x' })) expect(answer).toBe(expected++)
    expect(expected).toBe(5_000)
  })

  it('is aborted in the handler when the reader leaves the loop', async () => {
    let isOver = false
    const watch = async function* (_request: unknown, call: CallContext) {
      call.signal.addEventListener('abort', () => {
        isOver = true
      })
      for (let i = 0; ; i++) {
        yield { answer: i }
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const calls = await serve({ watch })
    for await (const { answer } of calls.watch({ what: 'x' })) if (answer === 3) break
    await waitFor(() => isOver)
  })

  it('ends with the error of the handler', async () => {
    const watch = async function* () {
      yield { answer: 1 }
      throw errors.BATCH_TOO_LARGE()
    }
    const calls = await serve({ watch })
    const received: unknown[] = []
    const read = async () => {
      for await (const { answer } of calls.watch({ what: 'x' })) received.push(answer)
    }
    await expect(read()).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    expect(received).toEqual([1])
  })
})

describe('a stopping gRPC server', () => {
  it('lets unary calls finish and ends streams with a retryable error', async () => {
    let finish: (() => void) | undefined
    const ask = () =>
      new Promise<{ answer: string }>((resolve) => {
        finish = () => resolve({ answer: 'done' })
      })
    const watch = async function* (_request: unknown, call: CallContext) {
      yield { answer: 0 }
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve))
    }
    const calls = await serve({ ask, watch })
    let seen = 0
    const watching = (async () => {
      for await (const _message of calls.watch({ what: 'x' })) seen++
    })()
    const asked = calls.ask({ what: 'x' })
    const ended = expect(watching).rejects.toMatchObject({ code: 'SHUTTING_DOWN', retryable: true })
    await waitFor(() => finish !== undefined && seen === 1)
    const stopServer = stops.pop()
    const stopped = stopServer?.()
    await ended
    finish?.()
    expect(await asked).toEqual({ answer: 'done' })
    await stopped
  })
})

describe('the gRPC health service', () => {
  it('reports SERVING for the server and each of its services', async () => {
    await serve({})
    const client = new Client(address, credentials.createInsecure())
    stops.unshift(() => client.close())
    const check = (service: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        // HealthCheckRequest {1: service}, HealthCheckResponse {1: status}, by hand.
        const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)])
        client.makeUnaryRequest(
          '/grpc.health.v1.Health/Check',
          (bytes: Buffer) => bytes,
          (bytes: Buffer) => bytes,
          request,
          (error, answer) => (error === null ? resolve(answer?.[1]) : reject(error)),
        )
      })
    expect(await check('')).toBe(1)
    expect(await check('millrace.test.Echo')).toBe(1)
    await expect(check('unknown')).rejects.toMatchObject({ code: 5 })
  })
})

describe('gRPC reflection', () => {
  /** ServerReflectionRequest and ServerReflectionResponse, by hand: `field` 7 lists services, 4 asks for the file of a symbol. */
  const reflect = (version: 'v1' | 'v1alpha', field: number, text: string) =>
    new Promise<string>((resolve, reject) => {
      const client = new Client(address, credentials.createInsecure())
      stops.unshift(() => client.close())
      const call = client.makeBidiStreamRequest(
        `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
      )
      call.on('data', (answer: Buffer) => resolve(answer.toString('latin1')))
      call.on('error', reject)
      call.write(Buffer.concat([Buffer.from([(field << 3) | 2, text.length]), Buffer.from(text)]))
      call.end()
    })

  it.each(['v1', 'v1alpha'] as const)(
    '%s lists the services of the server and returns their schema',
    async (version) => {
      const unused = () => Promise.reject(new Error('not called'))
      const services = [implementService(HealthServiceService, { getLedger: unused, getHealth: unused })]
      const deps = { logger, metrics: createGrpcMetrics(metrics), tracer: noopTracer, services }
      const [server, stop] = await startGrpcServer({ port: 0, descriptorSet: descriptorSet() }, deps)
      stops.push(stop)
      address = `127.0.0.1:${server.port}`
      const listed = await reflect(version, 7, '*')
      expect(listed).toContain('millrace.v1.HealthService')
      expect(listed).not.toContain('millrace.v1.ConsumerService')
      const schema = await reflect(version, 4, 'millrace.v1.HealthService')
      for (const name of ['GetLedger', 'LedgerEntry', 'dead_lettered']) expect(schema).toContain(name)
    },
  )
})
