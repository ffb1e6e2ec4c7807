import { DAY_MS, HOUR_MS, MINUTE_MS } from '@millrace/contracts'
import { createRandom, type Random } from '../../lib/random.js'
import { messageId } from '../../load/numbering.js'
import { createVisits, createZipf, type VisitedEvent, type Visits } from './model.js'

export const DAYS = 90
const EVENTS_A_USER = 50
/** Shares of events that come in hours late, and that come in twice. */
const LATE = 0.004
const REPEATED = 0.001

export interface DataOptions {
  seed: number
  rows: number
  endMs: number
}

export interface GeneratedEvent {
  timeMs: number
  json: string
}

interface User {
  rank: number
  country: string
  agent: string
  joinedDay: number
}

/**
 * Yields the events of `DAYS` days up to `endMs` as lists of {json, timeMs}, one a minute, in the order in which they come in: about `rows` in
 * all. The same arguments give the same events. A few users come often and most seldom, new ones join every day, and visits come in bursts, by day
 * more than by night and on working days more than at week-ends.
 */
export function* generateMinutes({ seed, rows, endMs }: DataOptions): Generator<GeneratedEvent[]> {
  const visits = createVisits(seed)
  const users = createUsers(visits, usersOf(rows))
  const startMs = endMs - DAYS * DAY_MS
  const perWeight = rows / (eventsPerVisit(seed) * totalWeight(startMs))
  const waiting = new Map<number, GeneratedEvent[]>()
  const put = (minute: number, event: GeneratedEvent) => {
    const list = waiting.get(minute)
    if (list === undefined) waiting.set(minute, [event])
    else list.push(event)
  }
  const { random } = visits
  let number = 0
  for (let minute = 0; minute < DAYS * 1440; minute++) {
    const minuteMs = startMs + minute * MINUTE_MS
    for (let count = poisson(random, perWeight * weightOf(minuteMs, minute)); count > 0; count--) {
      const user = users.pick(minute / 1440)
      const beginMs = minuteMs + Math.floor(random.next() * MINUTE_MS)
      for (const visited of visits.draw(user.country)) {
        const timeMs = beginMs + visited.offset
        if (timeMs >= endMs) break
        const event = { timeMs, json: render(seed, number++, { ...visited, user, timeMs }) }
        const delay = random.next() < LATE ? Math.floor(random.next() ** 2 * 1440) : 0
        put(Math.floor((timeMs - startMs) / MINUTE_MS) + delay, event)
        if (random.next() < REPEATED) put(Math.floor((timeMs - startMs) / MINUTE_MS) + delay + 1, event)
      }
    }
    const due = waiting.get(minute)
    waiting.delete(minute)
    if (due !== undefined) yield due.sort((a, b) => a.timeMs - b.timeMs)
  }
  yield [...waiting.values()].flat()
}

/** The number of users of a data set of `rows` events. */
export function usersOf(rows: number): number {
  return Math.max(100, Math.round(rows / EVENTS_A_USER))
}

/** The id of the user of a rank; the user of rank 0 comes most often. */
export function userIdOf(rank: number): string {
  return `u-${String(rank).padStart(6, '0')}`
}

/** Ranks that end in 0 never sign in and have an anonymous id alone. */
function isAnonymous(rank: number): boolean {
  return rank % 10 === 0 && rank > 0
}

function createUsers(visits: Visits, count: number): { pick(day: number): User } {
  const { random } = visits
  const zipf = createZipf(random, count, 0.7)
  const users = Array.from(
    { length: count },
    (_, rank): User => ({
      rank,
      country: visits.countryOf(),
      agent: visits.agentOf(),
      joinedDay: random.next() < 0.3 ? -30 * random.next() : DAYS * random.next(),
    }),
  )
  return {
    /** A user who has joined by that day; users who joined long ago come less often. */
    pick(day) {
      for (let attempt = 0; ; attempt++) {
        const user = users[zipf()] as User
        const age = day - user.joinedDay
        if (age >= 0 && (attempt > 40 || random.next() < 0.2 + 0.8 * Math.exp(-age / 12))) return user
      }
    },
  }
}

interface Visited extends VisitedEvent {
  user: User
  timeMs: number
}

function render(seed: number, number: number, { name, properties, user, timeMs }: Visited): string {
  const id = userIdOf(user.rank)
  const who = isAnonymous(user.rank) ? `"anonymousId":"${id}"` : `"userId":"${id}"`
  const agent = name === '$login' ? `,"userAgent":"${user.agent}","ip":"10.0.${user.rank % 256}.7"` : ''
  return (
    `{"type":"track","event":"${name}","messageId":"${messageId(seed, number)}",${who},` +
    `"timestamp":"${new Date(timeMs).toISOString()}","properties":{${properties},"plan":"${PLANS[user.rank % 10]}","version":"4.${number % 7}"},` +
    `"context":{"locale":"en-GB","library":{"name":"analytics.js","version":"4.1"},"page":{"referrer":"https://example.org/"}${agent}}}`
  )
}

const PLANS = ['free', 'free', 'free', 'free', 'free', 'pro', 'pro', 'pro', 'team', 'enterprise']

function weightOf(ms: number, minute: number): number {
  const hour = (ms % DAY_MS) / HOUR_MS
  const week = new Date(ms).getUTCDay()
  const daily = 0.3 + 0.7 * Math.max(0, Math.sin(((hour - 5) / 17) * Math.PI))
  return daily * (week === 0 || week === 6 ? 0.65 : 1) * (0.8 + (0.4 * minute) / (DAYS * 1440))
}

function totalWeight(startMs: number): number {
  let sum = 0
  for (let minute = 0; minute < DAYS * 1440; minute++) sum += weightOf(startMs + minute * MINUTE_MS, minute)
  return sum
}

function eventsPerVisit(seed: number): number {
  const visits = createVisits(seed ^ 0x5bd1e995)
  let events = 0
  for (let visit = 0; visit < 50_000; visit++) events += visits.draw('DE').length
  return events / 50_000
}

function poisson(random: Random, mean: number): number {
  if (mean > 30) throw new RangeError('too many visits a minute for this way to draw their number')
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = random.next(); product > limit; product *= random.next()) count++
  return count
}

/** A generator of its own for choosing queries, so that they do not depend on how many draws the data took. */
export function createQueryRandom(seed: number): Random {
  return createRandom(seed ^ 0x27d4eb2f)
}
