import type { Logger } from '@millrace/logger'
import type { Answers } from './answers.js'
import type { PopularQuestion } from './popular-questions.js'

/** So many at a time: callers who are there already come first. */
const CONCURRENCY = 2

/**
 * Asks what was asked most before the last stop, so that the first callers find it in memory. Returns how many were answered; one that fails, for
 * example because its tenant is over its budget by now, is left out.
 */
export async function warmAnswers(
  { popular, redis }: Pick<Answers, 'popular' | 'redis'>,
  {
    ask,
    stopping,
    logger,
  }: { ask: (question: PopularQuestion) => Promise<unknown>; stopping: AbortSignal; logger: Logger },
): Promise<number> {
  if (redis?.isReady !== true) return 0
  const questions = await popular.load(redis).catch((error: unknown) => {
    logger.debug('it is not known what is asked most', { error })
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
        logger.debug('a popular question could not be answered ahead', { error })
      }
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  if (count > 0) logger.info('answers that are asked for most are in memory', { count })
  return count
}
