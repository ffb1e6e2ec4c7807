import type { Tracer } from '@millrace/telemetry'
import { describeSteps, mainStep, operationOf } from './describe-steps.js'
import type { TraceRun } from './session.js'
import type { Step } from './statement.js'

/**
 * A span of each round trip, with its sanitised text. Only inside another span: what a service does by itself, such as its heartbeats, would
 * begin a trace a second that nobody asked for. Undefined when tracing is off.
 */
export function createTraceRuns(tracer: Tracer): TraceRun | undefined {
  if (!tracer.isOn) return undefined
  return function traceRun(steps, run) {
    if (tracer.current() === undefined) return run()
    return tracer.withSpan(`SQL ${nameOf(steps)}`, attributesOf(steps), run, { kind: 'client' })
  }
}

/** A commit takes deferred statements along, but it is the commit that takes the time. */
function nameOf(steps: readonly Step[]): string {
  const last = steps.at(-1)
  const main = last !== undefined && operationOf(last) === 'commit' ? last : mainStep(steps)
  return main === undefined ? 'nothing' : operationOf(main)
}

/** https://opentelemetry.io/docs/specs/semconv/database/postgresql/ */
function attributesOf(steps: readonly Step[]) {
  return {
    'db.system.name': 'postgresql',
    'db.query.text': describeSteps(steps).join('; '),
    ...(steps.length > 1 && { 'db.operation.batch.size': steps.length }),
  }
}
