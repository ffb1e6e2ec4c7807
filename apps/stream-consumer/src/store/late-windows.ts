import { DAY_MS, lateNameOf } from '@millrace/contracts'
import type { Statement } from '@millrace/database'
import { parseSeriesKey } from '@millrace/rollups'
import { DOUBLES, TIMESTAMP_DOUBLE, WORD, WORDS } from './frame-view.js'
import { type PreparedFrame, VERDICT } from './prepared-batch.js'

/** A UTC day of an event, of which answers may have been given that a late record has made wrong. */
export interface LateWindow {
  readonly tenant: number
  /** See `lateNameOf`. */
  readonly event: string
  /** As 2026-11-21. */
  readonly day: string
}

/** The days that late records among the stored ones of `frames` fall in, in the order of the table's key. A frame without late records costs nothing. */
export function findLateWindows(frames: readonly PreparedFrame[]): LateWindow[] {
  const windows = new Map<string, LateWindow>()
  for (const judged of frames) if (judged.frame.lateBeforeMs !== null) addLate(judged, windows)
  return [...windows.values()].sort((a, b) => a.tenant - b.tenant || compare(a.event, b.event) || compare(a.day, b.day))
}

function addLate({ frame: { lateBeforeMs }, view, verdicts }: PreparedFrame, windows: Map<string, LateWindow>): void {
  if (view === null || lateBeforeMs === null) return
  const { words, doubles, records } = view
  const seen = new Map<number, Set<number>>()
  for (let index = 0; index < records; index++) {
    const timeMs = doubles[index * DOUBLES + TIMESTAMP_DOUBLE] as number
    if (timeMs >= lateBeforeMs || (verdicts?.[index] ?? VERDICT.stored) !== VERDICT.stored) continue
    const series = (words[index * WORDS + WORD.seriesTypeFlags] as number) & 0xffff
    const days = seen.get(series)
    const day = Math.floor(timeMs / DAY_MS)
    if (days === undefined) seen.set(series, new Set([day]))
    else days.add(day)
  }
  if (seen.size === 0) return
  const keys = view.reader.seriesKeys()
  for (const [series, days] of seen) {
    const { tenantId: tenant, event: name } = parseSeriesKey(keys[series] as string)
    const event = lateNameOf(name)
    for (const number of days) {
      const day = new Date(number * DAY_MS).toISOString().slice(0, 10)
      windows.set(`${tenant} ${day} ${event}`, { tenant, event, day })
    }
  }
}

/**
 * Says that the windows have changed, in the transaction that stores the records. In the key's order, so that two consumers cannot deadlock; run
 * with COMMIT, since both may write the same row.
 */
export function bumpWindowsStatement(windows: readonly LateWindow[]): Statement {
  return {
    name: 'bump_window_versions',
    text: `insert into window_versions as w (tenant_id, event, day) select * from unnest($1::integer[], $2::text[], $3::date[])
           on conflict (tenant_id, event, day) do update
           set version = w.version + 1, changed_at = excluded.changed_at, changed_xid = excluded.changed_xid`,
    values: [windows.map(({ tenant }) => tenant), windows.map(({ event }) => event), windows.map(({ day }) => day)],
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
