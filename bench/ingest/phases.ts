import type { Stack } from '@millrace/local-stack'
import pg from 'pg'
import type { SentLoad } from '../chaos/check-events.js'
import { runJsonProcess } from '../lib/json-process.js'
import { startMeter } from '../lib/meter.js'
import { round, say } from '../lib/results.js'
import type { LoadReport } from '../load/run-load.js'
import type { ProbeReport } from '../load/run-probes.js'

const LOAD = new URL('load.js', import.meta.url)
const PROBE = new URL('probe.js', import.meta.url)

/** A process that works for the stack and is not part of it. */
export interface Process {
  readonly name: string
  readonly pid: number
}

export interface Phase {
  batchEvents: number
  connections: number
  seconds: number
  /** Default: as many as are acknowledged. */
  eventsPerSecond?: number | undefined
  /** Default: no probes. */
  probeEveryMs?: number
}

type WithCpu<T> = T & { cpuSeconds: number }
export type PhaseFigures = Awaited<ReturnType<Phases['run']>>

/** Runs loads one after another on a stack and keeps what was sent, for the check at the end. */
export class Phases {
  readonly sent: SentLoad[] = []
  acknowledged = 0
  private readonly stack: Stack
  private readonly others: readonly Process[]
  private readonly urls: string[]
  private seed: number
  private client: pg.Client | undefined

  constructor(stack: Stack, { seed, others }: { seed: number; others: readonly Process[] }) {
    this.stack = stack
    this.others = others
    this.seed = seed
    this.urls = stack.services.flatMap(({ instance }) =>
      instance.entry.name === 'ingest-gateway' ? [`http://127.0.0.1:${instance.httpPort}`] : [],
    )
  }

  /**
   * One load. Events a second are counted from the first request until everything accepted in this phase is committed, so the time
   * to drain what was queued is part of it.
   */
  async run(name: string, phase: Phase) {
    const { batchEvents, connections, seconds, eventsPerSecond, probeEveryMs } = phase
    const { stack } = this
    const numbering = { seed: this.seed++, batchEvents, connections }
    const before = await this.committed()
    const meter = startMeter(() => [...stack.processes(), ...this.others])
    const startedAt = performance.now()
    const durationMs = seconds * 1000
    const [load, probe] = await Promise.all([
      runJsonProcess<WithCpu<LoadReport>>(LOAD, {
        urls: this.urls,
        writeKey: stack.writeKey,
        numbering,
        durationMs,
        eventsPerSecond,
      }),
      probeEveryMs
        ? runJsonProcess<WithCpu<ProbeReport>>(PROBE, {
            url: stack.url,
            writeKey: stack.writeKey,
            readKey: stack.adminKey,
            durationMs,
            everyMs: probeEveryMs,
          })
        : undefined,
    ])
    const sentAt = performance.now()
    const stored = await this.drained(before + load.acknowledgedEvents)
    const drainSeconds = (performance.now() - sentAt) / 1000
    const wallSeconds =
      (performance.now() - startedAt) / 1000 - (load.startedAtMs - (performance.timeOrigin + startedAt)) / 1000
    const usage = meter.read()
    const foreignSeconds = usage.machineBusySeconds - usage.stackCpuSeconds - load.cpuSeconds - (probe?.cpuSeconds ?? 0)
    this.sent.push({ numbering, batches: load.batches })
    this.acknowledged += load.acknowledgedEvents
    const figures = {
      name,
      events: load.acknowledgedEvents,
      requests: load.batches.reduce((sum, count) => sum + count, 0),
      committed: stored - before,
      events_per_s: round(load.acknowledgedEvents / wallSeconds),
      accepted_per_s: round((load.acknowledgedEvents * 1000) / (load.endedAtMs - load.startedAtMs)),
      drain_s: round(drainSeconds, 2),
      acknowledged: load.acknowledged,
      ...(probe && {
        visible: probe.visible,
        visible_after_wait: probe.visibleAfterWait,
        stored: probe.stored,
        probes: probe.sent,
        probes_unseen: probe.unseen,
        late_after_wait: probe.lateAfterWait,
      }),
      statuses: load.statuses,
      cpu_us_per_event: round((usage.stackCpuSeconds * 1e6) / load.acknowledgedEvents, 2),
      load_cpu_us_per_event: round((load.cpuSeconds * 1e6) / load.acknowledgedEvents, 2),
      probe_cpu_s: probe && round(probe.cpuSeconds, 2),
      machine_busy: round(usage.machineBusySeconds / usage.machineSeconds, 3),
      foreign_cores: round(foreignSeconds / usage.seconds, 3),
      processes: usage.each.map(({ name: process, cpuSeconds, rssMib, pssMib, wasRestarted }) => ({
        process,
        cores: round(cpuSeconds / usage.seconds, 3),
        cpu_us_per_event: round((cpuSeconds * 1e6) / load.acknowledgedEvents, 2),
        rss_mib: round(rssMib),
        pss_mib: round(pssMib),
        ...(wasRestarted && { restarted: true }),
      })),
    }
    say(
      `${name}: ${figures.events_per_s} events/s over ${round(wallSeconds, 1)} s (drained in ${figures.drain_s} s); acknowledged p50 ` +
        `${load.acknowledged.p50_ms} ms p99 ${load.acknowledged.p99_ms} ms${probe ? `; visible p50 ${probe.visible.p50_ms} ms p99 ${probe.visible.p99_ms} ms` : ''}; ` +
        `${figures.cpu_us_per_event} us of processor an event; ${figures.foreign_cores} cores used by others`,
    )
    return figures
  }

  /** Events the consumers have settled, by the sums that are written in the transaction of the rows. */
  private async committed(): Promise<number> {
    return await this.query(
      `select coalesce(sum(stored + duplicate + dead_lettered), 0)::float8 as value from ledger_consumed where stream = 'events'`,
    )
  }

  private async drained(goal: number): Promise<number> {
    for (const start = performance.now(); ; ) {
      const value = await this.committed()
      if (value >= goal) return value
      if (performance.now() - start > 300_000)
        throw new Error(`${goal - value} accepted events were not committed within 300 s`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  private async query(sql: string): Promise<number> {
    this.client ??= await this.connect()
    return (await this.client.query<{ value: number }>(sql)).rows[0]?.value ?? 0
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.stack.databaseUrl })
    await client.connect()
    return client
  }

  async close(): Promise<void> {
    await this.client?.end()
  }
}
