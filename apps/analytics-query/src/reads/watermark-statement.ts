import type { Statement } from '@millrace/database'

export interface WatermarkConfig {
  readonly stream: string
  readonly consumerGroup: string
}

export interface WatermarkRow {
  readonly watermark: Date | null
}

/** The watermark of all partitions: the minimum, or null while some partition was never consumed. */
export function watermarkStatement({ stream, consumerGroup }: WatermarkConfig): Statement {
  return {
    name: 'stream_watermark',
    text: `select case when count(*) = count(watermark) then min(watermark) end as watermark
      from stream_partitions where group_name = $1 and stream = $2`,
    values: [consumerGroup, stream],
  }
}
