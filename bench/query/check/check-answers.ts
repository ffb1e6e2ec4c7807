import { setTimeout as delay } from 'node:timers/promises'
import { hashText, hashToBigint } from '@millrace/contracts'
import type { Stack } from '@millrace/local-stack'
import pg from 'pg'
import { createRandom } from '../../lib/random.js'
import { without } from '../../lib/without.js'
import type { Analytics } from '../ask/grpc.js'
import { quantiles } from '../ask/measure.js'
import type { Query } from '../ask/query.js'
import { createZipf } from '../data/model.js'
import {
  findOutside,
  findWrong,
  type JudgedAnswer,
  LATE_BOUND_MS,
  type SumFacts,
  staleness,
  type WrongValue,
} from './judge.js'
import { LIVE_USERS, type SentEvent, startLiveEvents } from './live-events.js'
import { createQuestions, type SumQuestion } from './questions.js'
import { createSetQuestions, type SetQuestion } from './set-questions.js'
import type { Point, StoredEvent } from './stored-event.js'
import { tamperWithCache } from './tamper.js'
import { type VisibilityWatch, watchVisible } from './watch-visible.js'

const LANES = 8
const TENANT = 1
const THINK_MS = 15
const TAMPERED_WAIT_MS = 15_000

export interface CheckOptions {
  stack: Stack
  analytics: readonly Analytics[]
  endMs: number
  seconds: number
  eventsPerSecond: number
}

type Question = SumQuestion | SetQuestion

interface Answer extends JudgedAnswer<number | null> {
  /** Index of the question. */
  readonly question: number
  readonly source: string
}

interface WrongAnswer {
  query: Query
  keys: WrongValue[]
}

/** Judges the answers to one question. */
interface Judge {
  wrong(answer: Answer): WrongAnswer[]
  /** Undefined where it cannot be known which rows an answer lacks. */
  staleness(answer: Answer): number | undefined
}

/**
 * Asks every analytics-query the same questions repeatedly while events stream in, and afterwards judges each answer by the raw rows and their commit
 * timestamps (track_commit_timestamp). Then, with no load, all answers must be exactly what the rows say. Finally it exchanges entries of the cache
 * behind the product's back, which the judge must notice.
 */
export async function checkAnswers({ stack, analytics, endMs, seconds, eventsPerSecond }: CheckOptions) {
  const database = new pg.Client({ connectionString: stack.databaseUrl })
  await database.connect()
  const watch = await watchVisible(stack.databaseUrl)
  try {
    const questions: Question[] = [...createQuestions({ endMs, nowMs: Date.now() }), ...createSetQuestions({ endMs })]
    const bases = await readBases(database, questions)
    const seed = Date.now() % 2 ** 31
    const writer = startLiveEvents({ url: stack.url, writeKey: stack.writeKey, eventsPerSecond, seed, endMs })
    const answers = await askFor({ analytics, questions, seconds, seed })
    const sent = await writer.stop()
    const live = await readCommits(database, sent, { seed, watch })
    await delay(LATE_BOUND_MS)
    const judged = questions.map((question, index) => judgeQuestion(question, bases[index], live))
    const wrongIn = (answer: Answer) => judged[answer.question]?.wrong(answer) ?? []
    // The first caller of an open range gets the cached answer while it is refreshed in the background.
    const first = await askOnce(analytics, questions)
    await delay(LATE_BOUND_MS)
    const wrong = [...answers, ...first].flatMap(wrongIn)
    const quiet = await askOnce(analytics, questions)
    const wrongQuiet = quiet.flatMap((answer) =>
      wrongIn({ ...answer, sentMs: Number.POSITIVE_INFINITY, ageMs: 0, isStale: false }),
    )
    const tampered = await tamperWithCache(stack)
    const found = await findTampered(analytics.slice(-1), questions, wrongIn)
    const stale = (isClosed: boolean) =>
      quantiles(
        answers.flatMap((answer) =>
          questions[answer.question]?.isClosed === isClosed ? (judged[answer.question]?.staleness(answer) ?? []) : [],
        ),
      )
    return {
      live_events: sent.length,
      late_events: sent.filter(({ timeMs, acknowledgedMs }) => acknowledgedMs - timeMs > 60_000).length,
      answers: answers.length + first.length + quiet.length,
      values: [...answers, ...first, ...quiet].reduce((sum, { values }) => sum + values.size, 0),
      sources: countSources(answers),
      wrong_answers: wrong.length + wrongQuiet.length,
      examples: [...wrong, ...wrongQuiet].slice(0, 5),
      behind_rows_open: stale(false),
      behind_rows_closed: stale(true),
      tampered_entries: tampered,
      tampered_answers_found: found.length,
      tampered_kinds_found: [...new Set(found.map(({ query }) => query.kind))],
    }
  } finally {
    await watch.stop()
    await database.end()
  }
}

/** The tampered answers that the judge notices. A process that has just started uses the shared cache only after it has looked for late events, so this waits. */
async function findTampered(
  analytics: readonly Analytics[],
  questions: Question[],
  wrongIn: (answer: Answer) => WrongAnswer[],
): Promise<WrongAnswer[]> {
  for (const startedAt = performance.now(); ; await delay(500)) {
    const answers = await askOnce(analytics, questions)
    const found = answers.flatMap(wrongIn)
    if (found.length > 0 || performance.now() - startedAt > TAMPERED_WAIT_MS) return found
  }
}

async function readBases(database: pg.Client, questions: Question[]): Promise<unknown[]> {
  const bases: unknown[] = []
  for (const question of questions)
    bases.push('sql' in question ? await readSums(database, question.sql) : await question.readBase(database))
  return bases
}

async function readSums(database: pg.Client, sql: string): Promise<Map<string, number>> {
  const { rows } = await database.query<{ key: unknown; value: number | null }>(sql)
  return new Map(rows.map(({ key, value }) => [String(key), value ?? 0]))
}

interface AskOptions {
  analytics: readonly Analytics[]
  questions: Question[]
  seconds: number
  seed: number
}

/** Asks the processes in turn from several lanes, popular questions more often. */
async function askFor({ analytics, questions, seconds, seed }: AskOptions): Promise<Answer[]> {
  const random = createRandom(seed)
  const order = random.shuffle(questions.map((_, index) => index))
  const pick = createZipf(random, questions.length, 0.8)
  const endsAt = performance.now() + seconds * 1000
  const answers: Answer[] = []
  const lane = async (number: number) => {
    for (let turn = number; performance.now() < endsAt; turn++) {
      answers.push(await ask(analytics[turn % analytics.length] as Analytics, questions, order[pick()] ?? 0))
      await delay(THINK_MS)
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
  return answers
}

async function askOnce(analytics: readonly Analytics[], questions: Question[]): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const one of analytics) for (const index of questions.keys()) answers.push(await ask(one, questions, index))
  return answers
}

async function ask(one: Analytics, questions: Question[], index: number): Promise<Answer> {
  const question = questions[index] as Question
  const sentMs = Date.now()
  const { dataJson, meta } = await one.query(question.query)
  const receivedMs = Date.now()
  return {
    question: index,
    sentMs,
    receivedMs,
    ageMs: meta.ageMs,
    watermarkMs: meta.watermark?.getTime() ?? 0,
    source: meta.source,
    isStale: meta.isStale,
    values: question.valuesOf(JSON.parse(dataJson.toString()) as Point[]),
  }
}

function judgeQuestion(question: Question, base: unknown, events: StoredEvent[]): Judge {
  return 'sql' in question
    ? judgeSums(question, base as ReadonlyMap<string, number>, events)
    : judgeSets(question, base, events)
}

function judgeSets({ query, isClosed, isIn, boundsOf }: SetQuestion, base: unknown, events: StoredEvent[]): Judge {
  const live = events.filter(isIn)
  const facts = {
    live,
    isClosed,
    boundsOf: (must: readonly StoredEvent[], may: readonly StoredEvent[]) => boundsOf(base, must, may),
  }
  return {
    wrong: (answer) => toWrong(query, answer, findOutside(answer, facts)),
    staleness: () => undefined,
  }
}

function toWrong(query: Query, answer: Answer, keys: WrongValue[]): WrongAnswer[] {
  return keys.length === 0 ? [] : [{ query, ...without(answer, 'values'), keys: keys.slice(0, 3) }]
}

function judgeSums(question: SumQuestion, base: ReadonlyMap<string, number>, events: StoredEvent[]): Judge {
  const { query, isClosed, isWhole, keyOf, amountOf } = question
  const live = events.flatMap((event) => {
    const key = keyOf(event)
    return key === undefined
      ? []
      : [
          {
            key,
            amount: amountOf(event),
            committedMs: event.committedMs,
            visibleMs: event.visibleMs,
            acknowledgedMs: event.acknowledgedMs,
          },
        ]
  })
  const facts: SumFacts = { base, live, isClosed, isWhole }
  return {
    wrong: (answer) => toWrong(query, answer, findWrong(withNumbers(answer), facts)),
    staleness: (answer) => staleness(withNumbers(answer), facts),
  }
}

interface StoredRow {
  message_id: string
  partition: number
  position: number
  /** Milliseconds since 1970. */
  at: string
}

/** Waits until all events are stored; returns them with PostgreSQL's commit timestamps and the times at which they were first seen to be visible. */
async function readCommits(
  database: pg.Client,
  sent: SentEvent[],
  { seed, watch }: { seed: number; watch: VisibilityWatch },
): Promise<StoredEvent[]> {
  const { rows: partitions } = await database.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'events'::regclass`,
  )
  const users = LIVE_USERS.map((user) => String(hashToBigint(hashText(user, TENANT, { lo: 0, hi: 0 }))))
  for (const startedAt = performance.now(); ; await delay(200)) {
    const stored = new Map<string, { committedMs: number; visibleMs: number }>()
    for (const { name } of partitions) {
      const { rows } = await database.query<StoredRow>(
        `select message_id, partition, position::float8 as position, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as at from ${name} where user_hash = any ($1::bigint[]) and message_id like $2`,
        [users, `live-${seed}-%`],
      )
      for (const row of rows)
        stored.set(row.message_id, { committedMs: Number(row.at), visibleMs: watch.visibleMs(row) })
    }
    if (stored.size === sent.length)
      return sent.flatMap((event) => {
        const times = stored.get(event.id)
        return times === undefined ? [] : [{ ...event, ...times }]
      })
    if (performance.now() - startedAt > 60_000)
      throw new Error(`${stored.size} of ${sent.length} live events are stored after 60 s`)
  }
}

/** Sums have no missing values: null counts as 0. */
function withNumbers({ values, ...answer }: Answer): JudgedAnswer {
  return { ...answer, values: new Map(Array.from(values, ([key, value]): [string, number] => [key, value ?? 0])) }
}

function countSources(answers: Answer[]): Record<string, number> {
  const sources: Record<string, number> = {}
  for (const { source } of answers) sources[source] = (sources[source] ?? 0) + 1
  return sources
}
