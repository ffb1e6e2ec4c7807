/** Default of STREAM_NAME: the stream from the gateways to the consumers. */
export const EVENTS_STREAM = 'events'

/** Default of STREAM_GROUP: the consumer group that stores the events in PostgreSQL. */
export const EVENTS_STORE_GROUP = 'events-store'

/** The Kafka topic that holds a stream. */
export function streamTopic(stream: string): string {
  return `millrace.${stream}`
}
