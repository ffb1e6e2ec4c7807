/** Default of STREAM_NAME: the stream from the gateways to the consumers. */
export const EVENTS_STREAM = 'events'

/** Default of STREAM_GROUP: the consumer group that stores the events in PostgreSQL. */
export const EVENTS_STORE_GROUP = 'events-store'

/** Default of LOG_STREAM_NAME: the stream from the receivers of log lines to their store. */
export const LOGS_STREAM = 'logs'

/** Default of LOG_STREAM_GROUP: the consumer group that stores the log lines in PostgreSQL. */
export const LOGS_STORE_GROUP = 'logs-store'

/** The Kafka topic that holds a stream. */
export function streamTopic(stream: string): string {
  return `millrace.${stream}`
}
