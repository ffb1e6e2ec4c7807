import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createLogger, type RootLogger } from '@millrace/logger'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { startTcpProxy, type TcpProxy, waitFor, within } from '@millrace/testing'
import { createGrpcClient } from '../src/grpc/create-grpc-client.js'
import { implementService } from '../src/grpc/implement-service.js'
import { startGrpcServer } from '../src/grpc/start-grpc-server.js'

const method = <const Path extends string, const Stream extends boolean>(path: Path, responseStream: Stream) => ({
  path,
  requestStream: false as const,
  responseStream,
  requestSerialize: (value: { waitMs: number }) => Buffer.from(JSON.stringify(value)),
  requestDeserialize: (bytes: Buffer) => JSON.parse(bytes.toString()) as { waitMs: number },
  responseSerialize: (value: { answer: number }) => Buffer.from(JSON.stringify(value)),
  responseDeserialize: (bytes: Buffer) => JSON.parse(bytes.toString()) as { answer: number },
})
const EchoService = { ask: method('/millrace.test.Echo/Ask', false), watch: method('/millrace.test.Echo/Watch', true) }

/** Far above the 4.5 s in which a peer is found not to answer, and far below the deadline of the calls. */
const SOON_MS = 60_000
const CALL = { tenant: '1', deadlineMs: 120_000 }
const outage = { code: 'DEPENDENCY_UNAVAILABLE', message: 'echo does not answer', httpStatus: 503 }

let logger: RootLogger
let port: number
let stopServer: () => void | Promise<void>

function deps(metrics = createMetrics({ service: 'test', hasProcessMetrics: false })) {
  return { logger, metrics: createGrpcMetrics(metrics), tracer: noopTracer }
}

function connect(proxy: TcpProxy, metrics = createMetrics({ service: 'test', hasProcessMetrics: false })) {
  return createGrpcClient({ service: EchoService }, `127.0.0.1:${proxy.port}`, { name: 'echo' }, deps(metrics))
}

beforeAll(async () => {
  logger = createLogger({ service: 'test', level: 'fatal', write: () => undefined })
  const services = [
    implementService(EchoService, {
      ask: async ({ waitMs }) => {
        // The peer is slow for as long as the caller asks: a test compares this time with the 4.5 s after which a silent peer is given up.
        await new Promise((resolve) => setTimeout(resolve, waitMs))
        return { answer: 1 }
      },
      watch: async function* () {
        yield { answer: 1 }
        // The pause between two messages is what is tested: it is longer than those 4.5 s.
        await new Promise((resolve) => setTimeout(resolve, 6_000))
        yield { answer: 2 }
      },
    }),
  ]
  const [server, stop] = await startGrpcServer({ port: 0, drainTimeoutMs: 100 }, { ...deps(), services })
  port = server.port
  stopServer = stop
})

afterAll(async () => {
  await stopServer()
  logger.close()
})

// The tests run at the same time, since all of them only wait: for seconds after which a silent peer is given up.
describe('a gRPC peer that does not answer', () => {
  it.concurrent.each(['swallow-requests', 'swallow-answers'] as const)(
    'fails calls within seconds by name, whether it was connected before or not, and serves them soon after the fault %s has ended',
    async (mode) => {
      const proxy = await startTcpProxy(port)
      const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
      const [connected, stopConnected] = connect(proxy, metrics)
      const [fresh, stopFresh] = connect(proxy)
      expect(await connected.ask({ waitMs: 0 }, CALL)).toEqual({ answer: 1 })
      await proxy.set(mode)
      const failures = [connected, fresh].map((calls) => calls.ask({ waitMs: 0 }, CALL))
      await within(SOON_MS, Promise.all(failures.map((failure) => expect(failure).rejects.toMatchObject(outage))))
      expect(await metrics.expose()).toMatch(/millrace_grpc_peer_up\{peer="echo".*\} 0/)
      await within(SOON_MS, expect(connected.ask({ waitMs: 0 }, CALL)).rejects.toMatchObject(outage))
      await proxy.set('pass')
      for (const calls of [connected, fresh])
        await waitFor(async () => (await calls.ask({ waitMs: 0 }, CALL)).answer === 1, { deadlineMs: SOON_MS })
      expect(await metrics.expose()).toMatch(/millrace_grpc_peer_up\{peer="echo".*\} 1/)
      await stopConnected()
      await stopFresh()
      await proxy.stop()
    },
  )

  it.concurrent('fails a stream whose first message does not arrive', async () => {
    const proxy = await startTcpProxy(port)
    const [calls, stop] = connect(proxy)
    await proxy.set('swallow-answers')
    const first = async () => {
      for await (const { answer } of calls.watch({ waitMs: 0 }, { tenant: '1' })) return answer
      return undefined
    }
    await within(SOON_MS, expect(first()).rejects.toMatchObject(outage))
    await stop()
    await proxy.stop()
  })

  it.concurrent('fails a stream whose connection dies between two messages', async () => {
    const proxy = await startTcpProxy(port)
    const [calls, stop] = connect(proxy)
    const answers: number[] = []
    const read = async () => {
      for await (const { answer } of calls.watch({ waitMs: 0 }, { tenant: '1' })) {
        answers.push(answer)
        await proxy.set('swallow-answers')
      }
    }
    await within(SOON_MS, expect(read()).rejects.toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' }))
    expect(answers).toEqual([1])
    await stop()
    await proxy.stop()
  })
})

describe('a gRPC peer that is slow', () => {
  it.concurrent('may take longer over a call than the client waits before it probes, and between two messages of a stream', async () => {
    const proxy = await startTcpProxy(port)
    const [calls, stop] = connect(proxy)
    const answers: number[] = []
    const read = async () => {
      for await (const { answer } of calls.watch({ waitMs: 0 }, { tenant: '1' })) answers.push(answer)
    }
    const [answer] = await Promise.all([calls.ask({ waitMs: 6_000 }, CALL), read()])
    expect(answer).toEqual({ answer: 1 })
    expect(answers).toEqual([1, 2])
    await stop()
    await proxy.stop()
  })
})
