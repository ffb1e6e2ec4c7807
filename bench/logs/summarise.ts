import { round } from '../lib/results.js'
import type { LogsFigures, LogsPlan } from './measure-logs.js'
import { WIRE_NAMES, type WireName } from './wires.js'

/** One row for each wire: the figures, and ours as a multiple of those of VictoriaLogs. */
export function wireTable({ sustained, peers }: LogsFigures): object[] {
  return WIRE_NAMES.flatMap((wire) => {
    const ours = sustained.get(wire)
    if (ours === undefined) return []
    const theirs = peers.get(wire)
    return [
      {
        wire,
        request_bytes: ours.bytes_per_line,
        acked_per_s: ours.acknowledged_per_s,
        searchable_per_s: ours.searchable_per_s,
        p50_ms: ours.acknowledged_p50_ms,
        p99_ms: ours.acknowledged_p99_ms,
        cpu_us: ours.cpu_us_per_line,
        ...Object.fromEntries(ours.processes.map((one) => [one.process, one.cpu_us_per_line])),
        sender_us: ours.sender_cpu_us_per_line,
        foreign: ours.foreign_cores,
        vl_acked_per_s: theirs?.acknowledged_per_s,
        vl_searchable_per_s: theirs?.searchable_per_s,
        vl_cpu_us: theirs?.cpu_us_per_line,
        ratio: ratio(ours.searchable_per_s, theirs?.searchable_per_s),
      },
    ]
  })
}

/** One row for each kind of search. */
export function searchTable({ searches }: LogsFigures): object[] {
  return searches.idle.map(({ kind, lines, failed, latency }, index) => ({
    search: kind,
    lines,
    failed,
    p50_ms: latency.p50_ms,
    p95_ms: latency.p95_ms,
    ingest_p50_ms: searches.whileLinesArrive[index]?.latency.p50_ms,
    ingest_p95_ms: searches.whileLinesArrive[index]?.latency.p95_ms,
    vl_lines: searches.peer?.[index]?.lines,
    vl_p50_ms: searches.peer?.[index]?.latency.p50_ms,
    vl_p95_ms: searches.peer?.[index]?.latency.p95_ms,
  }))
}

/** The closing line. Rates and ratios are those of the first wire. */
export function summarise(figures: LogsFigures, { wires: [wire] }: LogsPlan) {
  const { sustained, peers, rates, sizes, searches, check, acknowledged } = figures
  const ours = sustained.get(wire)
  const compared = peerOf(figures, wire)
  const shipper = ours?.processes.find(({ process }) => process === 'log-shipper')
  const slowest = Math.max(...searches.idle.map(({ latency }) => latency.p95_ms))
  return {
    lines_per_s: ours?.searchable_per_s,
    acked_lines_per_s: ours?.acknowledged_per_s,
    wire,
    lost: check.acknowledged - Math.min(check.stored, check.inChunks) + check.missing,
    repeated: Math.max(check.stored, check.inChunks) - check.acknowledged + check.repeated,
    search_p95_ms: slowest,
    searches_failed: [...searches.idle, ...searches.whileLinesArrive].reduce((sum, { failed }) => sum + failed, 0),
    search_p95_ms_by_kind: Object.fromEntries(searches.idle.map(({ kind, latency }) => [kind, latency.p95_ms])),
    lines: acknowledged,
    bytes_per_line: round(sizes.disk_bytes_per_line, 1),
    wal_bytes_per_line: round(sizes.wal_bytes_per_line, 1),
    cpu_us_per_line: ours?.cpu_us_per_line,
    shipper_cpu_us_per_line: shipper?.cpu_us_per_line,
    shipper_rss_mib: shipper?.rss_mib,
    foreign_cores: ours?.foreign_cores,
    acknowledged_p99_ms: Object.fromEntries(
      [...rates].map(([rate, { acknowledged_p99_ms }]) => [rate, acknowledged_p99_ms]),
    ),
    ratio_to_victorialogs: ratio(ours?.searchable_per_s, compared && peers.get(compared)?.searchable_per_s),
    acked_ratio_to_victorialogs: ratio(ours?.acknowledged_per_s, compared && peers.get(compared)?.acknowledged_per_s),
    cpu_ratio_to_victorialogs: ratio(ours?.cpu_us_per_line, compared && peers.get(compared)?.cpu_us_per_line),
    compared_wire: compared ?? null,
  }
}

/** The wire of VictoriaLogs that a wire is compared with: the same, or the fastest one where VictoriaLogs does not take it. */
function peerOf({ peers }: LogsFigures, wire: WireName): WireName | undefined {
  if (peers.has(wire)) return wire
  const sorted = [...peers].sort(([, a], [, b]) => (b.searchable_per_s ?? 0) - (a.searchable_per_s ?? 0))
  return sorted[0]?.[0]
}

function ratio(ours: number | undefined, theirs: number | undefined): number | null {
  return ours === undefined || theirs === undefined ? null : (round(ours / theirs, 2) ?? null)
}
