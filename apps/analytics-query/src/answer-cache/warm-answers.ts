import type { Logger } from '@millrace/logger'
import type { Answers } from './answers.js'
import type { PopularQuery } from './popular-queries.js'

/** Low, so that it does not delay calls that arrive meanwhile. */
const CONCURRENCY = 2

/**
 * Runs the most frequent queries of the last days after a start, so that the first calls find their answers in memory.
 * Returns how many were answered; queries that fail are skipped.
 */
export async function warmAnswers(
  { popular, redis }: Pick<Answers, 'popular' | 'redis'>,
  {
    ask,
    stopping,
    logger,
  }: { ask: (question: PopularQuery) => Promise<unknown>; stopping: AbortSignal; logger: Logger },
): Promise<number> {
  if (redis?.isReady !== true) return 0
  const questions = await popular.load(redis).catch((error: unknown) => {
    logger.debug('the most frequent queries could not be read from Redis', { error })
    return []
  })
  let count = 0
  const queue = questions[Symbol.iterator]()
  const work = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true && !stopping.aborted; next = queue.next()) {
      try {
        await ask(next.value)
        count++
      } catch (error) {
        logger.debug('a query failed while the answer cache was warmed', { error })
      }
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  if (count > 0) logger.info('the answer cache was warmed with the most frequent queries', { count })
  return count
}
