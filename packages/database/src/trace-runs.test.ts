import { expect, it } from '@jest/globals'
import { noopTracer, type SpanAttributes, type Tracer } from '@millrace/telemetry'
import { createTraceRuns } from './trace-runs.js'

const running = { traceId: '1'.repeat(32), spanId: '1'.repeat(16) }

function recordingTracer(current: typeof running | undefined) {
  const spans: { name: string; attributes: SpanAttributes }[] = []
  const tracer: Tracer = {
    ...noopTracer,
    isOn: true,
    current: () => current,
    withSpan: (name, attributes, fn) => {
      spans.push({ name, attributes })
      return noopTracer.withSpan(name, attributes, fn)
    },
  }
  return { tracer, spans }
}

it('the tracer of statements makes a span for a round trip, with the texts of its statements and without values', async () => {
  const { tracer, spans } = recordingTracer(running)
  const trace = createTraceRuns(tracer)
  await trace?.(
    [{ text: 'begin' }, { text: `select 'bob@example.com', $1`, values: ['bob'], name: 'find-user' }],
    async () => [],
  )
  await trace?.([{ text: 'update a set b = 1', name: 'positions' }, { text: 'commit' }], async () => [])
  expect(spans).toEqual([
    {
      name: 'SQL find-user',
      attributes: {
        'db.system.name': 'postgresql',
        'db.query.text': 'begin; select ?, $1',
        'db.operation.batch.size': 2,
      },
    },
    {
      name: 'SQL commit',
      attributes: {
        'db.system.name': 'postgresql',
        'db.query.text': 'update a set b = ?; commit',
        'db.operation.batch.size': 2,
      },
    },
  ])
})

it('the tracer of statements makes no span outside of a request, and is absent when tracing is off', async () => {
  const { tracer, spans } = recordingTracer(undefined)
  await expect(createTraceRuns(tracer)?.([{ text: 'select' }], async () => 1)).resolves.toBe(1)
  expect(spans).toEqual([])
  expect(createTraceRuns(noopTracer)).toBeUndefined()
})
