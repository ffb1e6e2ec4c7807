import type { Logger } from '@millrace/logger'
import { openStreamDriver, type StreamDriver } from '@millrace/streams'

/** A driver for the brokers of a test. */
export async function openTestKafkaDriver(brokers: string, logger: Logger): Promise<StreamDriver> {
  return await openStreamDriver({ STREAM_DRIVER: 'kafka', KAFKA_BROKERS: [brokers] }, { redis: undefined, logger })
}
