import type { TestEvent } from './generated-data.js'

/** What the kinds that follow users promise, said as simply as possible and without any thought of cost. */

type Group = string | null

/** Each user's events in the order of time and place. */
export function byUser(events: readonly TestEvent[]): TestEvent[][] {
  const users = new Map<string, TestEvent[]>()
  for (const event of events) {
    const user = event.userId ?? event.anonymousId ?? ''
    users.set(user, [...(users.get(user) ?? []), event])
  }
  return [...users.values()].map((list) =>
    list.sort((a, b) => a.timestampMs - b.timestampMs || a.partition - b.partition || a.position - b.position),
  )
}

export interface ModelStep {
  users: number
  lengthsMs: number[]
}

export function modelFunnel(
  events: readonly TestEvent[],
  rules: {
    readonly steps: readonly ((event: TestEvent) => boolean)[]
    readonly windowMs: number
    /** An attempt begins before this time. */
    readonly beginBeforeMs: number
    readonly groupOf: (event: TestEvent) => Group
  },
): Map<Group, ModelStep[]> {
  const groups = new Map<Group, ModelStep[]>()
  for (const list of byUser(events)) {
    const attempts = list.flatMap((event, index) =>
      event.timestampMs < rules.beginBeforeMs && rules.steps[0]?.(event) ? [follow(list, index, rules)] : [],
    )
    const furthest = Math.max(0, ...attempts.map(({ length }) => length))
    const best = attempts.find(({ length }) => length === furthest)
    if (best?.[0] === undefined) continue
    const group = rules.groupOf(best[0])
    const steps = groups.get(group) ?? rules.steps.map(() => ({ users: 0, lengthsMs: [] }))
    groups.set(group, steps)
    best.forEach((event, step) => {
      const result = steps[step] as ModelStep
      result.users++
      if (step > 0) result.lengthsMs.push(event.timestampMs - (best[step - 1] as TestEvent).timestampMs)
    })
  }
  return groups
}

function follow(
  list: readonly TestEvent[],
  begin: number,
  { steps, windowMs }: { readonly steps: readonly ((event: TestEvent) => boolean)[]; readonly windowMs: number },
): TestEvent[] {
  const attempt = [list[begin] as TestEvent]
  const endMs = (list[begin] as TestEvent).timestampMs + windowMs
  for (const event of list.slice(begin + 1)) {
    if (event.timestampMs <= endMs && steps[attempt.length]?.(event)) attempt.push(event)
  }
  return attempt
}

export interface ModelCohort {
  size: number
  returned: number[]
}

export function modelRetention(
  events: readonly TestEvent[],
  rules: {
    readonly starts: readonly number[]
    readonly isFirst: (event: TestEvent) => boolean
    readonly isReturn: (event: TestEvent) => boolean
    readonly groupOf: (event: TestEvent) => Group
  },
): Map<Group, ModelCohort[]> {
  const { starts } = rules
  const groups = new Map<Group, ModelCohort[]>()
  const periodOf = (event: TestEvent) => starts.findLastIndex((start) => start <= event.timestampMs)
  for (const list of byUser(events)) {
    const first = list.findIndex(rules.isFirst)
    if (first < 0) continue
    const own = periodOf(list[first] as TestEvent)
    const group = rules.groupOf(list[first] as TestEvent)
    const cohorts =
      groups.get(group) ?? starts.map((_, index) => ({ size: 0, returned: starts.slice(index).map(() => 0) }))
    groups.set(group, cohorts)
    const cohort = cohorts[own] as ModelCohort
    cohort.size++
    const periods = new Set(
      list
        .slice(first)
        .filter(rules.isReturn)
        .map((event) => periodOf(event) - own),
    )
    for (const period of periods) cohort.returned[period] = (cohort.returned[period] ?? 0) + 1
  }
  return groups
}

/** Users by the number of different periods in which they have events, for each group: `periodOf` names the period of an event. */
export function modelStickiness(
  events: readonly TestEvent[],
  rules: { readonly periodOf: (event: TestEvent) => string; readonly groupOf: (event: TestEvent) => Group },
): Map<Group, Map<number, number>> {
  const groups = new Map<Group, Map<number, number>>()
  for (const list of byUser(events)) {
    for (const group of new Set(list.map(rules.groupOf))) {
      const periods = new Set(list.filter((event) => rules.groupOf(event) === group).map(rules.periodOf)).size
      const counts = groups.get(group) ?? new Map<number, number>()
      groups.set(group, counts.set(periods, (counts.get(periods) ?? 0) + 1))
    }
  }
  return groups
}

export interface ModelSession {
  readonly user: string
  readonly beginMs: number
  readonly lengthMs: number
  readonly events: number
  readonly first: TestEvent
}

/** All sessions of all time; `events` must reach back as far as they may. */
export function modelSessions(events: readonly TestEvent[], gapMs: number): ModelSession[] {
  return byUser(events).flatMap((list) => {
    const runs: TestEvent[][] = []
    for (const event of list) {
      const run = runs.at(-1)
      const last = run?.at(-1)
      if (run === undefined || last === undefined || event.timestampMs - last.timestampMs >= gapMs) runs.push([event])
      else run.push(event)
    }
    return runs.map((run) => {
      const [first, last] = [run[0] as TestEvent, run.at(-1) as TestEvent]
      return {
        user: first.userId ?? first.anonymousId ?? '',
        beginMs: first.timestampMs,
        lengthMs: last.timestampMs - first.timestampMs,
        events: run.length,
        first,
      }
    })
  })
}

export function summariseLengths(lengthsMs: readonly number[]) {
  if (lengthsMs.length === 0) return { seconds_avg: null, seconds_p50: null, seconds_p95: null }
  const sorted = [...lengthsMs].sort((a, b) => a - b)
  const at = (share: number) => (sorted[Math.max(Math.ceil(share * sorted.length), 1) - 1] as number) / 1000
  const total = lengthsMs.reduce((sum, value) => sum + value, 0)
  return { seconds_avg: total / lengthsMs.length / 1000, seconds_p50: at(0.5), seconds_p95: at(0.95) }
}
