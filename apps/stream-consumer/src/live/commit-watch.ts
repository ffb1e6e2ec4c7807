import type { CommittedNotice } from '@millrace/streams'

/** A call that waits for frames of one producer. */
interface Waiter {
  /** The awaited sequence numbers, by partition. */
  readonly sequences: Map<number, number>
  readonly wake: () => void
}

/** Wakes calls that wait for frames when any consumer has committed these. */
export class CommitWatch {
  readonly #waiters = new Map<string, Set<Waiter>>()

  /** Receives the notices of a commit as JSON text. Malformed ones are ignored. */
  receive(message: string): void {
    if (this.#waiters.size === 0) return
    for (const notice of parse(message)) this.#take(notice)
  }

  #take(notice: CommittedNotice): void {
    for (const [producer, sequence] of Object.entries(notice.producers)) {
      for (const waiter of this.#waiters.get(producer) ?? []) {
        const awaited = waiter.sequences.get(notice.partition)
        if (awaited === undefined || sequence < awaited) continue
        waiter.sequences.delete(notice.partition)
        if (waiter.sequences.size === 0) waiter.wake()
      }
    }
  }

  /**
   * Waits for the last of `frames` of each partition. `committed` resolves when the notices of all of them have
   * arrived. Notices may be lost, so callers must also check by other means. `end` must always be called.
   */
  watch(
    producer: string,
    frames: readonly { partition: number; sequence: number }[],
  ): { committed: Promise<void>; end: () => void } {
    const sequences = new Map<number, number>()
    for (const { partition, sequence } of frames)
      sequences.set(partition, Math.max(sequence, sequences.get(partition) ?? 0))
    let wake: () => void = () => {}
    const committed = new Promise<void>((resolve) => {
      wake = resolve
    })
    const waiter = { sequences, wake }
    const waiters = this.#waiters.get(producer) ?? new Set()
    waiters.add(waiter)
    this.#waiters.set(producer, waiters)
    const end = (): void => {
      waiters.delete(waiter)
      if (waiters.size === 0 && this.#waiters.get(producer) === waiters) this.#waiters.delete(producer)
    }
    return { committed, end }
  }
}

function parse(message: string): CommittedNotice[] {
  try {
    const notices = JSON.parse(message) as unknown
    return Array.isArray(notices) ? notices.filter(isNotice) : []
  } catch {
    return []
  }
}

function isNotice(value: unknown): value is CommittedNotice {
  const { producers } = (value ?? {}) as Partial<CommittedNotice>
  return typeof producers === 'object' && producers !== null
}
