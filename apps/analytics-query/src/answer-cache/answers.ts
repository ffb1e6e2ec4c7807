import type { RedisConnection } from '@millrace/redis'
import type { AnswerCache } from './answer-cache.js'
import type { HttpPolicy } from './http-policy.js'
import type { PopularQueries } from './popular-queries.js'
import type { WatermarkWait } from './watermark-wait.js'

/** The cache of answers with everything that reads or fills it. */
export interface Answers {
  readonly cache: AnswerCache
  readonly httpPolicyOf: HttpPolicy
  readonly popular: PopularQueries
  readonly watermarks: WatermarkWait
  readonly redis: RedisConnection | undefined
}
