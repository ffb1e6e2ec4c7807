import type { TopicMessage, TopicWriter, WriteOptions } from '@millrace/streams'

/** A topic in memory whose writer fails when the test says so. */
export class RecordedTopic implements TopicWriter {
  readonly messages: TopicMessage[] = []
  messageBytesMax: number | undefined = 1_000_000
  /** While set, nothing is stored. */
  outage: string | undefined

  async prepare(): Promise<void> {}

  async write(messages: readonly TopicMessage[], { signal, onFailure }: WriteOptions): Promise<void> {
    while (this.outage !== undefined) {
      signal.throwIfAborted()
      onFailure(this.outage)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    this.messages.push(...messages)
  }

  async close(): Promise<void> {}

  ids(): string[] {
    return this.messages.map(({ headers }) => headers.message_id ?? '')
  }

  values(): Record<string, unknown>[] {
    return this.messages.map(({ value }) => JSON.parse(value.toString()) as Record<string, unknown>)
  }
}
