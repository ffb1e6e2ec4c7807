import { streamTopic } from '@millrace/contracts'
import { text } from './settings.js'

/** The longest name of a topic that Kafka takes. */
const TOPIC_CHARACTERS_MAX = 249

/** The setting of the mirror of stored events; `mirrorRule` checks it together with those of the stream. */
export function mirrorSettings() {
  return {
    KAFKA_MIRROR_TOPIC: text({
      optional: true,
      check: (value) =>
        /^[A-Za-z0-9._-]+$/.test(value) && value.length <= TOPIC_CHARACTERS_MAX && !/^\.{1,2}$/.test(value)
          ? undefined
          : `must be the name of a Kafka topic: at most ${TOPIC_CHARACTERS_MAX} letters, digits, dots, underscores and hyphens`,
      description:
        'Kafka topic to which every stored event is written as a JSON message, for other systems; it is in the cluster of KAFKA_BROKERS; without this setting nothing is written; the same in all services',
    }),
  }
}

/** Refuses a mirror without brokers, and one that would write into the topic of the stream. */
export function mirrorRule({
  KAFKA_MIRROR_TOPIC: topic,
  KAFKA_BROKERS: brokers,
  STREAM_DRIVER: driver,
  STREAM_NAME: stream,
}: {
  readonly KAFKA_MIRROR_TOPIC?: string | undefined
  readonly KAFKA_BROKERS: readonly string[]
  readonly STREAM_DRIVER: string
  readonly STREAM_NAME: string
}): string | undefined {
  if (topic === undefined) return undefined
  if (brokers.length === 0)
    return `KAFKA_MIRROR_TOPIC is ${topic}, but KAFKA_BROKERS is not set: set it to brokers of the cluster, or leave KAFKA_MIRROR_TOPIC unset.`
  if (driver === 'kafka' && topic === streamTopic(stream))
    return `KAFKA_MIRROR_TOPIC is ${topic}, which is the topic of the stream, STREAM_NAME: set it to another name.`
  return undefined
}
