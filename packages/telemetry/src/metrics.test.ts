import { describe, expect, it } from '@jest/globals'
import {
  createGrpcMetrics,
  createHttpMetrics,
  createPostgresMetrics,
  createRedisMetrics,
  createResilienceMetrics,
} from './instruments.js'
import { createMetrics } from './metrics.js'

const open = () => createMetrics({ service: 'test', hasProcessMetrics: false })

describe('the metrics of a process', () => {
  it('carry their labels and the name of the service in the text format', async () => {
    const metrics = open()
    const records = metrics.counter({ name: 'millrace_ingest_records_total', help: 'Records', labels: ['outcome'] })
    const ok = records.with({ outcome: 'ok' })
    ok.inc()
    ok.inc(4)
    records.with({ outcome: 'rejected' }).inc(0)
    const text = await metrics.expose()
    expect(text).toContain('# TYPE millrace_ingest_records_total counter')
    expect(text).toMatch(/millrace_ingest_records_total\{outcome="ok",service="test"\} 5/)
    expect(text).toMatch(/millrace_ingest_records_total\{outcome="rejected",service="test"\} 0/)
  })

  it('keep their values when they are scraped twice', async () => {
    const metrics = open()
    metrics.counter({ name: 'millrace_ingest_batches_total', help: 'Batches' }).with({}).inc(3)
    await metrics.expose()
    expect(await metrics.expose()).toContain('millrace_ingest_batches_total{service="test"} 3')
  })

  it('count observations in cumulative buckets whose upper bounds are inclusive', async () => {
    const metrics = open()
    const sizes = metrics.histogram({ name: 'millrace_ingest_batch_bytes', help: 'Bytes', buckets: [10, 100] }).with({})
    for (const value of [1, 10, 11, 1000]) sizes.observe(value)
    const text = await metrics.expose()
    expect(text).toMatch(/_bucket\{le="10",service="test"\} 2/)
    expect(text).toMatch(/_bucket\{le="100",service="test"\} 3/)
    expect(text).toMatch(/_bucket\{le="\+Inf",service="test"\} 4/)
    expect(text).toMatch(/_sum\{service="test"\} 1022/)
    expect(text).toMatch(/_count\{service="test"\} 4/)
  })

  it('read gauges at the time of the scrape and leave removed series out', async () => {
    const metrics = open()
    let lag = 5
    const gauge = metrics.gauge({ name: 'millrace_stream_lag_records', help: 'Lag', labels: ['partition'] }, (series) =>
      series.with({ partition: '1' }).set(lag),
    )
    gauge.with({ partition: '2' }).set(9)
    gauge.remove({ partition: '2' })
    lag = 7
    const text = await metrics.expose()
    expect(text).toMatch(/partition="1",service="test"\} 7/)
    expect(text).not.toContain('partition="2"')
  })

  it.each([
    ['counter', 'ingest_records_total'],
    ['counter', 'millrace_ingest_records'],
    ['gauge', 'millrace_ingest_records_total'],
    ['histogram', 'millrace_ingest_duration_ms'],
    ['histogram', 'millrace_Ingest_duration_seconds'],
    ['gauge', 'millrace_disk_used_percent'],
  ] as const)('throw for a %s whose name does not follow the rule: %s', (type, name) => {
    expect(() => open()[type]({ name, help: 'x' })).toThrow(TypeError)
  })

  it('throw for a name that is already registered in the same registry', () => {
    const metrics = open()
    metrics.counter({ name: 'millrace_ingest_records_total', help: 'x' })
    expect(() => metrics.counter({ name: 'millrace_ingest_records_total', help: 'x' })).toThrow()
    expect(() => open().counter({ name: 'millrace_ingest_records_total', help: 'x' })).not.toThrow()
  })

  it('include CPU, memory and event-loop lag of the process', async () => {
    const text = await createMetrics({ service: 'test' }).expose()
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds'])
      expect(text).toContain(name)
  })

  it('include the shared instruments for HTTP, gRPC, PostgreSQL, Redis and circuit breakers', async () => {
    const metrics = open()
    createHttpMetrics(metrics).observe({ method: 'GET', route: '/v1/receipts/:receipt', status: '200' }, 0.02)
    createGrpcMetrics(metrics).server.with({ method: 'a/b', code: 'OK' }).observe(1)
    createPostgresMetrics(metrics, {
      pool: (pool) => pool.with({ pool: 'primary', state: 'used' }).set(2),
      up: (up) => up.with({ pool: 'primary' }).set(1),
    })
    createRedisMetrics(metrics).commands.with({ connection: 'cache' }).inc()
    createResilienceMetrics(metrics).circuitState.with({ name: 'redis' }).set(2)
    const text = await metrics.expose()
    expect(text).toMatch(
      /millrace_http_requests_total\{method="GET",route="\/v1\/receipts\/:receipt",status="200",service="test"\} 1/,
    )
    expect(text).toMatch(/millrace_postgres_pool_connections\{pool="primary",state="used",service="test"\} 2/)
  })
})
