import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { coreErrors, defineErrors } from '@millrace/contracts'
import { createLogger, type RootLogger } from '@millrace/logger'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { waitFor } from '@millrace/testing'
import type { CallContext } from '../src/grpc/call-context.js'
import { createGrpcClient } from '../src/grpc/create-grpc-client.js'
import { implementService } from '../src/grpc/implement-service.js'
import { startGrpcServer } from '../src/grpc/start-grpc-server.js'

const json = {
  serialize: (value: unknown) => Buffer.from(JSON.stringify(value)),
  parse: (bytes: Buffer): unknown => JSON.parse(bytes.toString()),
}
const EchoService = {
  ask: {
    path: '/millrace.test.Echo/Ask',
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: (value: { what: string }) => {
      if (value.what === 'unwritable') throw new RangeError('too large')
      return json.serialize(value)
    },
    requestDeserialize: (bytes: Buffer) => {
      if (bytes.includes('unreadable')) throw new RangeError('no such field')
      return json.parse(bytes) as { what: string }
    },
    responseSerialize: (value: { answer: number }) => json.serialize(value),
    responseDeserialize: (bytes: Buffer) => json.parse(bytes) as { answer: number },
  },
}
const errors = defineErrors({
  TABLE_GONE: ['unavailable', 'the database cannot be reached'],
  BROKEN: ['internal', 'broken'],
})

let logger: RootLogger
let stops: (() => void | Promise<void>)[]

function deps() {
  const metrics = createGrpcMetrics(createMetrics({ service: 'test', hasProcessMetrics: false }))
  return { logger, metrics, tracer: noopTracer }
}

async function serve(ask: (request: { what: string }, call: CallContext) => Promise<{ answer: number }>, port = 0) {
  const services = [implementService(EchoService, { ask })]
  const [server, stop] = await startGrpcServer({ port, drainTimeoutMs: 60_000 }, { ...deps(), services })
  return { port: server.port, stop }
}

function connect(port: number, circuitBreaker: { openMs?: number } = {}) {
  const config = { name: 'echo', policy: { retry: false, circuitBreaker } } as const
  const [calls, stop] = createGrpcClient({ service: EchoService }, `127.0.0.1:${port}`, config, deps())
  stops.push(stop)
  /** Code of the answer. */
  return (what = 'x', tenant = '1') =>
    calls.ask({ what }, { tenant }).then(
      () => 'OK',
      (error: { code: string }) => error.code,
    )
}

async function askTimes(ask: () => Promise<string>, times: number): Promise<string[]> {
  const codes: string[] = []
  for (let i = 0; i < times; i++) codes.push(await ask())
  return codes
}

beforeEach(() => {
  stops = []
  logger = createLogger({ service: 'test', level: 'fatal', write: () => undefined })
})

afterEach(async () => {
  for (const stop of stops) await stop()
  logger.close()
})

describe('the circuit breaker of a gRPC client', () => {
  it.each([errors.TABLE_GONE, coreErrors.DEPENDENCY_CIRCUIT_OPEN, coreErrors.DEPENDENCY_TIMEOUT])(
    'stays closed while the peer answers with an error of its own dependencies: %s',
    async (failure) => {
      let isDown = true
      const { port, stop } = await serve(async () => {
        if (isDown) throw failure()
        return { answer: 1 }
      })
      stops.push(stop)
      const ask = connect(port)
      expect(new Set(await askTimes(ask, 20))).toEqual(new Set([failure().code]))
      isDown = false
      expect(await ask()).toBe('OK')
    },
  )

  it.each([
    ['the service fails at', 'x', 'BROKEN'],
    ['the service cannot read', 'unreadable', 'INTERNAL'],
    ['cannot be sent', 'unwritable', 'INTERNAL'],
  ])(
    "stays closed for every tenant whatever one of them asks: what %s is that caller's alone",
    async (_, what, code) => {
      const { port, stop } = await serve(async (_request, { tenant }) => {
        if (tenant === 'poisoner') throw errors.BROKEN()
        return { answer: 1 }
      })
      stops.push(stop)
      const ask = connect(port)
      expect(new Set(await askTimes(() => ask(what, 'poisoner'), 20))).toEqual(new Set([code]))
      expect(await ask()).toBe('OK')
    },
  )

  it('opens when the peer cannot be reached, and closes soon after the peer is back', async () => {
    const first = await serve(async () => ({ answer: 1 }))
    const ask = connect(first.port, { openMs: 600_000 })
    expect(await ask()).toBe('OK')
    await first.stop()
    await waitFor(async () => (await ask()) === 'DEPENDENCY_CIRCUIT_OPEN', { deadlineMs: 30_000 })
    const { stop } = await serve(async () => ({ answer: 2 }), first.port)
    stops.push(stop)
    await waitFor(async () => (await ask()) === 'OK', { deadlineMs: 60_000 })
  })
})
