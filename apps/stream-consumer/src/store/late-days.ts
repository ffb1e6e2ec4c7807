import { DAY_MS, type LateDay, lateNameOf } from '@millrace/contracts'
import type { Statement } from '@millrace/database'
import { parseSeriesKey } from '@millrace/rollups'
import { DOUBLES, TIMESTAMP_DOUBLE, WORD, WORDS } from './frame-view.js'
import { type PreparedFrame, VERDICT } from './prepared-batch.js'

/**
 * The days of the late records that are stored, ordered by the key of `window_versions`. Frames without late records
 * are not read.
 */
export function findLateDays(frames: readonly PreparedFrame[]): LateDay[] {
  const days = new Map<string, LateDay>()
  for (const prepared of frames) if (prepared.frame.lateBeforeMs !== null) addLateDays(prepared, days)
  return [...days.values()].sort((a, b) => a.tenant - b.tenant || compare(a.event, b.event) || compare(a.day, b.day))
}

function addLateDays({ frame: { lateBeforeMs }, view, verdicts }: PreparedFrame, late: Map<string, LateDay>): void {
  if (view === null || lateBeforeMs === null) return
  const { words, doubles, records } = view
  const daysBySeries = new Map<number, Set<number>>()
  for (let index = 0; index < records; index++) {
    const timeMs = doubles[index * DOUBLES + TIMESTAMP_DOUBLE] as number
    if (timeMs >= lateBeforeMs || (verdicts?.[index] ?? VERDICT.stored) !== VERDICT.stored) continue
    const series = (words[index * WORDS + WORD.seriesTypeFlags] as number) & 0xffff
    const days = daysBySeries.get(series)
    const day = Math.floor(timeMs / DAY_MS)
    if (days === undefined) daysBySeries.set(series, new Set([day]))
    else days.add(day)
  }
  if (daysBySeries.size === 0) return
  const keys = view.reader.seriesKeys()
  for (const [series, days] of daysBySeries) {
    const { tenantId: tenant, event: name } = parseSeriesKey(keys[series] as string)
    const event = lateNameOf(name)
    for (const dayNumber of days) {
      const day = new Date(dayNumber * DAY_MS).toISOString().slice(0, 10)
      late.set(`${tenant} ${day} ${event}`, { tenant, event, day })
    }
  }
}

/**
 * Raises the versions of the days, in the transaction that stores the late records. Rows are written in key order, so
 * that two consumers cannot deadlock, and together with COMMIT, since both may write the same row.
 */
export function bumpLateDaysStatement(days: readonly LateDay[]): Statement {
  return {
    name: 'bump_window_versions',
    text: `insert into window_versions as w (tenant_id, event, day) select * from unnest($1::integer[], $2::text[], $3::date[])
           on conflict (tenant_id, event, day) do update
           set version = w.version + 1, changed_at = excluded.changed_at, changed_xid = excluded.changed_xid`,
    values: [days.map(({ tenant }) => tenant), days.map(({ event }) => event), days.map(({ day }) => day)],
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
