import { channel } from 'node:diagnostics_channel'
import { currentContext, type Logger, sanitiseSql } from '@millrace/logger'
import { isControl } from './describe-steps.js'
import { databaseErrors } from './errors.js'
import { isCopy, type Step } from './statement.js'

/** A statement that one request has run many times, as N+1 reads do. */
interface Repeat {
  /** Without values. */
  readonly statement: string
  readonly count: number
  /** Stack frames of its first run, without those of this package. */
  readonly firstCall: string
}

/** Publishes the repeats of databases that are opened without an environment. The Jest setup subscribes and fails the test. */
const repeatChannel = channel('millrace.database.repeat')

/** A statement counts as repeated after this many runs in one request. A fixed number of reads, such as three metrics of two periods, stays below it. */
const RUNS_MAX = 10
/** Bounds memory: the request that started first is forgotten first. */
const REQUESTS_MAX = 1_000

/** Called with the steps of each round trip before they are sent. */
export type DetectRepeats = (steps: readonly Step[]) => void

interface RepeatDetectorDeps {
  readonly onRepeat: (repeat: Repeat) => void
}

/**
 * Counts the statements of each request, which the ids of the log context identify. Statements outside of requests are not counted. A statement counts
 * once for each round trip, because a pipeline is a way of batching. `onRepeat` is called once for each statement and request.
 */
function createRepeatDetector({ onRepeat }: RepeatDetectorDeps): DetectRepeats {
  const requests = new Map<string, Map<string, { count: number; firstCall: string }>>()
  return function detectRepeats(steps) {
    const context = currentContext()
    const request = context?.spanId ?? context?.requestId ?? context?.traceId
    if (request === undefined) return
    let seen = requests.get(request)
    if (seen === undefined) {
      seen = new Map()
      requests.set(request, seen)
      if (requests.size > REQUESTS_MAX) requests.delete(requests.keys().next().value as string)
    }
    for (const statement of new Set(steps.filter(isWatched).map(({ text }) => sanitiseSql(text)))) {
      const runs = seen.get(statement)
      if (runs === undefined) seen.set(statement, { count: 1, firstCall: callers() })
      else if (++runs.count === RUNS_MAX + 1) onRepeat({ statement, count: runs.count, firstCall: runs.firstCall })
    }
  }
}

function isWatched(step: Step): step is Extract<Step, { text: string }> {
  return !isCopy(step) && !isControl(step) && step.mayRepeat !== true && !SETTING.test(step.text)
}

const SETTING = /^\s*(set\b|select set_config\()/i

const OWN_FRAME =
  /[\\/](?:packages|@millrace)[\\/](?:database|resilience)[\\/](?!.*\.test\.)|node_modules[\\/](?!@millrace)|node:/

/** At most five stack frames of the callers, nearest first. */
function callers(): string {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 60
  const { stack = '' } = new Error()
  Error.stackTraceLimit = limit
  const frames = stack.split('\n').slice(1)
  return frames
    .filter((frame) => !OWN_FRAME.test(frame))
    .slice(0, 5)
    .map((frame) => frame.trim())
    .join('\n')
}

/** NODE_ENV of a service. */
export type Environment = 'development' | 'test' | 'production'

/**
 * What happens to repeats: development logs them, test fails the statement, production does not count. Without an environment they are published on the
 * channel if it has subscribers.
 */
export function chooseRepeatDetector(environment: Environment | undefined, logger: Logger): DetectRepeats | undefined {
  switch (environment) {
    case 'production':
      return undefined
    case 'test':
      return createRepeatDetector({ onRepeat: fail })
    case 'development':
      return createRepeatDetector({
        onRepeat: ({ statement, count, firstCall }) =>
          logger.warn('one request has run the same statement many times', { statement, count, first_call: firstCall }),
      })
    default:
      return repeatChannel.hasSubscribers
        ? createRepeatDetector({ onRepeat: (repeat) => repeatChannel.publish(repeat) })
        : undefined
  }
}

function fail({ statement, count, firstCall }: Repeat): never {
  throw databaseErrors.DATABASE_STATEMENT_ERROR({
    message: `the same statement was run ${count} times in one request; read all rows that the request needs at once: ${statement}; first run ${firstCall}`,
  })
}
