import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import type { TakenPartition } from './group-table.js'
import { PartitionProbe } from './partition-probe.js'

/**
 * Partitions that this member has taken but that the driver cannot describe, as without a leader. They stay with this member, so that members do not
 * take them from each other all the time; they are neither read nor assigned to the handler.
 */
export class WaitingPartitions<Prepared, Tx extends SqlTransaction> {
  readonly #taken = new Map<number, TakenPartition>()
  readonly #describable = new Set<number>()
  readonly #probe: PartitionProbe<Prepared, Tx>

  /** @param onDue called when `takeDue` returns something */
  constructor(context: ConsumerContext<Prepared, Tx>, onDue: () => void) {
    this.#probe = new PartitionProbe(context, (descriptions) => {
      for (const { partition } of descriptions) this.#describable.add(partition)
      onDue()
    })
  }

  get isDue(): boolean {
    return this.#describable.size > 0
  }

  get epochs(): (readonly [partition: number, epoch: number])[] {
    return [...this.#taken.values()].map(({ partition, epoch }) => [partition, epoch] as const)
  }

  add(taken: readonly TakenPartition[]): void {
    for (const row of taken) this.#taken.set(row.partition, row)
    this.#probe.add(taken.map(({ partition }) => partition))
  }

  /** The partitions that can be described again. They do not wait any more. */
  takeDue(): TakenPartition[] {
    const due = [...this.#taken.values()].filter(({ partition }) => this.#describable.has(partition))
    for (const { partition } of due) this.delete(partition)
    return due
  }

  delete(partition: number): void {
    this.#taken.delete(partition)
    this.#describable.delete(partition)
    this.#probe.delete(partition)
  }

  close(): void {
    this.#taken.clear()
    this.#describable.clear()
    this.#probe.close()
  }
}
