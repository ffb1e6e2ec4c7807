import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { waitFor } from '../src/index.js'
import { startTestStack } from '../src/spawn-service.js'
import { type CollectedSpan, type SpanCollector, startSpanCollector } from './span-collector.js'

const KIND = { server: 2, client: 3, producer: 4, consumer: 5 }

describe('traces of the whole stack', () => {
  let collector: SpanCollector
  let stack: Awaited<ReturnType<typeof startTestStack>>

  beforeAll(async () => {
    collector = await startSpanCollector()
    stack = await startTestStack({
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
        OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0',
        OTEL_BSP_SCHEDULE_DELAY: '100',
      },
    })
  })
  afterAll(async () => {
    await stack?.stop()
    await collector?.close()
  })

  const traceparent = (traceId: string) => `00-${traceId}-b7ad6b7169203331-01`
  const track = async (headers: Record<string, string>, path = '/v1/track') => {
    const response = await fetch(`${stack.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.writeKey}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ event: 'Traced', userId: 'someone@example.com', type: 'track' }),
    })
    expect(response.status).toBe(200)
  }
  const spansOf = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId)
  const untilSpan = async (traceId: string, isIt: (span: CollectedSpan) => boolean) => {
    await waitFor(async () => spansOf(traceId).some(isIt), { deadlineMs: 60_000, what: `span ${isIt.toString()}` })
    return spansOf(traceId).find(isIt) as CollectedSpan
  }

  it('traces follow a request from the gateway over the stream and the consumer into SQL', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    await track({ traceparent: traceparent(traceId) })
    const request = await untilSpan(traceId, ({ kind }) => kind === KIND.server)
    const append = await untilSpan(traceId, ({ kind }) => kind === KIND.producer)
    const batch = await untilSpan(traceId, ({ kind }) => kind === KIND.consumer)
    const copy = await untilSpan(traceId, ({ name }) => name === 'SQL copy')
    const commit = await untilSpan(traceId, ({ name }) => name === 'SQL commit')
    expect(request).toMatchObject({ service: 'ingest-gateway', name: 'HTTP POST', parentSpanId: 'b7ad6b7169203331' })
    expect(append).toMatchObject({ service: 'ingest-gateway', name: 'send events', parentSpanId: request.spanId })
    expect(batch).toMatchObject({ service: 'stream-consumer', name: 'process events', parentSpanId: request.spanId })
    expect(commit).toMatchObject({ service: 'stream-consumer', kind: KIND.client, parentSpanId: batch.spanId })
    expect(copy).toMatchObject({ service: 'stream-consumer', kind: KIND.client })
    expect(copy.attributes['db.query.text']).toMatch(/copy events_\d+ from stdin; copy event_journal from stdin/)
    expect(JSON.stringify(spansOf(traceId))).not.toContain('example.com')
  })

  it('traces follow a query from the gateway by gRPC into SQL', async () => {
    const traceId = '1bf7651916cd43dd8448eb211c80319c'
    const response = await fetch(`${stack.url}/api/v1/query/timeseries?event=Traced&interval=1h`, {
      headers: { authorization: `Bearer ${stack.adminKey}`, traceparent: traceparent(traceId) },
    })
    expect(response.status).toBe(200)
    const call = await untilSpan(traceId, ({ service }) => service === 'analytics-query')
    const sql = await untilSpan(traceId, ({ name, service }) => service === 'analytics-query' && name.startsWith('SQL'))
    expect(sql.kind).toBe(KIND.client)
    expect(call.traceId).toBe(traceId)
  })

  it('traces follow a request that waits for storage to the consumer that answers for its events', async () => {
    const traceId = '2cf7651916cd43dd8448eb211c80319c'
    await track({ traceparent: traceparent(traceId) }, '/v1/events?wait=stored')
    const call = await untilSpan(traceId, (span) => span.service === 'stream-consumer' && span.kind === KIND.server)
    expect(call.name).toBe('millrace.v1.ConsumerService/GetReceipt')
  })

  it('traces contain nothing of requests that were not sampled', async () => {
    await track({ traceparent: '00-3df7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' }, '/v1/events?wait=stored')
    const last = '4ef7651916cd43dd8448eb211c80319c'
    await track({ traceparent: traceparent(last) })
    await untilSpan(last, ({ name }) => name === 'SQL commit')
    expect(spansOf('3df7651916cd43dd8448eb211c80319c')).toEqual([])
  })
})
