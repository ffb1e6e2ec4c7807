import type { Logger } from '@millrace/logger'
import type { Tracer } from '@millrace/telemetry'
import type { GroupMetrics } from './consumer-metrics.js'
import type { ConsumerConfig, ConsumerDeps, ConsumerSettings } from './consumer-types.js'
import type { SqlTransaction } from './database-port.js'
import type { GroupTable } from './group-table.js'

/** Shared by all parts of one running consumer. */
export interface ConsumerContext<Prepared, Tx extends SqlTransaction> {
  readonly config: ConsumerConfig<Prepared, Tx>
  readonly settings: ConsumerSettings
  /** Unique to this run of the consumer. */
  readonly member: string
  readonly table: GroupTable
  readonly logger: Logger
  readonly metrics: GroupMetrics | undefined
  /** Undefined when tracing is off. */
  readonly tracer: Tracer | undefined
  readonly onCommitted: ConsumerDeps['onCommitted']
  readonly now: () => number
}
