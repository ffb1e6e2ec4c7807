import { setTimeout as delay } from 'node:timers/promises'
import { hashText, hashToBigint } from '@millrace/contracts'
import pg from 'pg'
import { createRandom } from '../../dist/lib/random.js'
import { quantiles } from '../ask/measure.mjs'
import { createZipf } from '../data/model.mjs'
import { findOutside, findWrong, LATE_BOUND_MS, staleness } from './judge.mjs'
import { LIVE_USERS, startLiveEvents } from './live-events.mjs'
import { createQuestions } from './questions.mjs'
import { createSetQuestions } from './set-questions.mjs'
import { tamperWithCache } from './tamper.mjs'
import { watchVisible } from './watch-visible.mjs'

const LANES = 8
const TENANT = 1
const THINK_MS = 15
const TAMPERED_WAIT_MS = 15_000

/**
 * Asks the same questions again and again of every analytics-query while events stream in, and judges each answer afterwards by the raw rows and the
 * instants of their commits (track_commit_timestamp). Then, with nothing under way, all must be exactly what the rows say; and then once more with
 * entries of the cache exchanged behind the product's back, which must be noticed.
 */
export async function checkAnswers({ stack, analytics, endMs, seconds, eventsPerSecond }) {
  const database = new pg.Client({ connectionString: stack.databaseUrl })
  await database.connect()
  const watch = await watchVisible(stack.databaseUrl)
  try {
    const questions = [...createQuestions({ endMs, nowMs: Date.now() }), ...createSetQuestions({ endMs })]
    const bases = await readBases(database, questions)
    const seed = Date.now() % 2 ** 31
    const writer = startLiveEvents({ url: stack.url, writeKey: stack.writeKey, eventsPerSecond, seed, endMs })
    const answers = await askFor({ analytics, questions, seconds, seed })
    const sent = await writer.stop()
    const live = await readCommits(database, sent, { seed, watch })
    await delay(LATE_BOUND_MS)
    const judged = questions.map((question, index) => judgeQuestion(question, bases[index], live))
    // An open range is read again behind the back of who asks first.
    const first = await askOnce(analytics, questions)
    await delay(LATE_BOUND_MS)
    const wrong = [...answers, ...first].flatMap((answer) => judged[answer.question].wrong(answer))
    const quiet = await askOnce(analytics, questions)
    const wrongQuiet = quiet.flatMap((answer) =>
      judged[answer.question].wrong({ ...answer, sentMs: Number.POSITIVE_INFINITY, ageMs: 0, isStale: false }),
    )
    const tampered = await tamperWithCache(stack)
    const found = await findTampered(analytics.at(-1), questions, judged)
    const stale = (isClosed) =>
      quantiles(
        answers.flatMap((answer) =>
          questions[answer.question].isClosed === isClosed ? (judged[answer.question].staleness(answer) ?? []) : [],
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

/** The tampered answers that the judge notices. A process that has just started believes what others have kept once it has looked for late events, so it is given time. */
async function findTampered(one, questions, judged) {
  for (const startedAt = performance.now(); ; await delay(500)) {
    const answers = await askOnce([one], questions)
    const found = answers.flatMap((answer) => judged[answer.question].wrong(answer))
    if (found.length > 0 || performance.now() - startedAt > TAMPERED_WAIT_MS) return found
  }
}

async function readBases(database, questions) {
  const bases = []
  for (const { sql, readBase = (one) => readSums(one, sql) } of questions) bases.push(await readBase(database))
  return bases
}

async function readSums(database, sql) {
  const { rows } = await database.query(sql)
  return new Map(rows.map(({ key, value }) => [String(key), value ?? 0]))
}

/** Lanes that ask processes in turn, popular questions more often. */
async function askFor({ analytics, questions, seconds, seed }) {
  const random = createRandom(seed)
  const order = random.shuffle(questions.map((_, index) => index))
  const pick = createZipf(random, questions.length, 0.8)
  const endsAt = performance.now() + seconds * 1000
  const answers = []
  const lane = async (number) => {
    for (let turn = number; performance.now() < endsAt; turn++) {
      answers.push(await ask(analytics[turn % analytics.length], questions, order[pick()]))
      await delay(THINK_MS)
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
  return answers
}

async function askOnce(analytics, questions) {
  const answers = []
  for (const one of analytics) for (const index of questions.keys()) answers.push(await ask(one, questions, index))
  return answers
}

async function ask(one, questions, index) {
  const sentMs = Date.now()
  const { dataJson, meta } = await one.query(questions[index].query)
  const receivedMs = Date.now()
  return {
    question: index,
    sentMs,
    receivedMs,
    ageMs: meta.ageMs,
    watermarkMs: meta.watermark?.getTime() ?? 0,
    source: meta.source,
    isStale: meta.isStale,
    values: questions[index].valuesOf(JSON.parse(dataJson.toString())),
  }
}

function judgeQuestion(question, base, events) {
  return question.boundsOf === undefined ? judgeSums(question, base, events) : judgeSets(question, base, events)
}

/** How stale they are cannot be told: which rows such an answer lacks does not show. */
function judgeSets({ query, isClosed, isIn, boundsOf }, base, events) {
  const live = events.filter(isIn)
  const facts = { live, isClosed, boundsOf: (must, may) => boundsOf(base, must, may) }
  return {
    wrong: ({ values, ...answer }) => toWrong(query, answer, findOutside({ ...answer, values }, facts)),
    staleness: () => undefined,
  }
}

function toWrong(query, answer, keys) {
  return keys.length === 0 ? [] : [{ query, ...answer, keys: keys.slice(0, 3) }]
}

function judgeSums({ query, isClosed, isWhole, keyOf, amountOf }, base, events) {
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
  const facts = { base, live, isClosed, isWhole }
  return {
    wrong: ({ values, ...answer }) => toWrong(query, answer, findWrong({ ...answer, values }, facts)),
    staleness: (answer) => staleness(answer, facts),
  }
}

/** Waits until all are stored; returns them with the instants of their commits, from PostgreSQL's own record, and those at which they were seen to be there. */
async function readCommits(database, sent, { seed, watch }) {
  const { rows: partitions } = await database.query(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'events'::regclass`,
  )
  const users = LIVE_USERS.map((user) => String(hashToBigint(hashText(user, TENANT, { lo: 0, hi: 0 }))))
  for (const startedAt = performance.now(); ; await delay(200)) {
    const stored = new Map()
    for (const { name } of partitions) {
      const { rows } = await database.query(
        `select message_id, partition, position::float8 as position, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as at from ${name} where user_hash = any ($1::bigint[]) and message_id like $2`,
        [users, `live-${seed}-%`],
      )
      for (const row of rows)
        stored.set(row.message_id, { committedMs: Number(row.at), visibleMs: watch.visibleMs(row) })
    }
    if (stored.size === sent.length) return sent.map((event) => ({ ...event, ...stored.get(event.id) }))
    if (performance.now() - startedAt > 60_000)
      throw new Error(`${stored.size} of ${sent.length} live events are stored after 60 s`)
  }
}

function countSources(answers) {
  const sources = {}
  for (const { source } of answers) sources[source] = (sources[source] ?? 0) + 1
  return sources
}
