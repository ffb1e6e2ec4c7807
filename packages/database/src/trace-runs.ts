import type { Tracer } from '@millrace/telemetry'
import { describeSteps, mainStep, operationOf } from './describe-steps.js'
import type { TraceRun } from './session.js'
import type { Step } from './statement.js'

/**
 * Makes a span for each round trip, with the sanitised texts of its statements. Only inside another span: background work such as heartbeats would start a
 * new trace every second. Undefined when tracing is off.
 */
export function createTraceRuns(tracer: Tracer): TraceRun | undefined {
  if (!tracer.isOn) return undefined
  return function traceRun(steps, run) {
    if (tracer.current() === undefined) return run()
    return tracer.withSpan(`SQL ${nameOf(steps)}`, attributesOf(steps), run, { kind: 'client' })
  }
}

/** A COMMIT carries deferred statements, but the COMMIT takes the time, so the span has its name. */
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
