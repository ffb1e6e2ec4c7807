import { originOf } from '../frame/trace-origin.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import type { FrameBatch } from './stream-handler.js'

/** Runs the transaction of a batch inside a span that continues the traces in its frames; without a span when tracing is off. */
export function traceBatch<Prepared, Tx extends SqlTransaction>(
  { tracer, config }: ConsumerContext<Prepared, Tx>,
  { frames, records }: FrameBatch,
  work: () => Promise<void>,
): Promise<void> {
  if (tracer === undefined) return work()
  const attributes = {
    'messaging.system': config.driver.name,
    'messaging.destination.name': config.stream,
    'messaging.consumer.group.name': config.group,
    'messaging.operation.type': 'process',
    'messaging.batch.message_count': frames.length,
    'millrace.records': records,
  }
  const origin = originOf(frames.map(({ traces }) => traces)) ?? { isRoot: true }
  return tracer.withSpan(`process ${config.stream}`, attributes, work, { kind: 'consumer', ...origin })
}
