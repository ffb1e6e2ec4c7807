import { channel } from 'node:diagnostics_channel'
import { currentContext, type Logger } from '@millrace/logger'
import { isControl } from './describe-steps.js'
import { databaseErrors } from './errors.js'
import { sanitiseSql } from './sanitise-sql.js'
import { isCopy, type Step } from './statement.js'

/** One statement run again and again inside one request, which is how N+1 reads look. */
interface Repeat {
  /** Without values. */
  readonly statement: string
  readonly count: number
  /** Where it was run first: the frames outside of this package. */
  readonly firstCall: string
}

/** Whoever subscribes before a database is opened is told of its repeats. Tests do and fail by it; the name is all they need to know. */
const repeatChannel = channel('millrace.database.repeat')

/** Runs of one statement in one request before they are a repeat: three metrics of two periods, or a retry, are few; what grows with the data is more. */
const RUNS_MAX = 10
/** Bounds memory; the request that began first is forgotten first. */
const REQUESTS_MAX = 1_000

export type DetectRepeats = (steps: readonly Step[]) => void

interface RepeatDetectorDeps {
  readonly onRepeat: (repeat: Repeat) => void
}

/**
 * Watches the statements of each request, as the log's context tells requests apart; what a service does by itself is not watched. Each
 * statement of one round trip counts once, since a pipeline is a way of batching. `onRepeat` is called once a statement and request.
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

/** Frames of the callers, nearest first, at most five. */
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

export type Environment = 'development' | 'test' | 'production'

/**
 * What is done about repeats: development warns, tests fail the statement, production does not even count. Where none is named, whoever
 * subscribed to the channel is told.
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
          logger.warn('one statement is run many times in one request', { statement, count, first_call: firstCall }),
      })
    default:
      return repeatChannel.hasSubscribers
        ? createRepeatDetector({ onRepeat: (repeat) => repeatChannel.publish(repeat) })
        : undefined
  }
}

function fail({ statement, count, firstCall }: Repeat): never {
  throw databaseErrors.DATABASE_STATEMENT_ERROR({
    message: `the same statement was run ${count} times in one request, read once what they all need: ${statement}; first run ${firstCall}`,
  })
}
