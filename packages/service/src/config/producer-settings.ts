import { directory } from './place-settings.js'
import { decimal, integer, text } from './settings.js'

export interface ProducerSettingsOptions {
  /** What the service takes in, in the plural: `events`. */
  readonly records: string
}

/** The settings of a service that writes to the stream, in addition to those of the stream's server. `openProducer` of @millrace/streams takes them. */
export function producerSettings({ records }: ProducerSettingsOptions) {
  return {
    STREAM_MIN_REPLICAS: integer({
      default: 0,
      min: 0,
      max: 10,
      unit: 'replicas',
      description: 'Redis replicas that must confirm a frame (WAIT) before it is acknowledged',
    }),
    STREAM_LINGER_MS: decimal({
      default: 1,
      min: 0,
      max: 1000,
      unit: 'ms',
      description: `how long the producer waits for more ${records} before it seals a batch, at low load`,
    }),
    STREAM_LINGER_MAX_MS: decimal({
      optional: true,
      min: 0,
      max: 1000,
      unit: 'ms',
      description: `longest such wait, which grows with the load; default: 10, by 1 ms for each 4,000 ${records} a second, and with Kafka 20, by 1 ms for each 1,500 a second`,
    }),
    STREAM_UNACKNOWLEDGED_BYTES_MAX: integer({
      default: 67_108_864,
      min: 1_048_576,
      max: 4_294_967_296,
      unit: 'bytes',
      description: 'maximum bytes of frames that the stream has not acknowledged yet; beyond that requests get 429',
    }),
    MILLRACE_DATA_DIR: directory({ default: '.millrace', description: 'folder in which the spool is kept' }),
    SPOOL_BYTES_MAX: integer({
      default: 1_073_741_824,
      min: 0,
      max: 1_099_511_627_776,
      unit: 'bytes',
      description: 'maximum size of the spool; 0 switches it off',
    }),
    STREAM_DISK_PATH: text({
      optional: true,
      description:
        'data directory of the server of the stream (Redis or Kafka), when it is on this machine; npm start sets it',
    }),
    DISK_FREE_BYTES_MIN: integer({
      default: 67_108_864,
      min: 0,
      max: 1_099_511_627_776,
      unit: 'bytes',
      description: `while less is free on the disk of STREAM_DISK_PATH, ${records} get 503, so that the stream and PostgreSQL keep room to work; the spool takes no ${records} while less is free on its disk; 0 waits for a write that fails`,
    }),
  }
}
