import type { Stack } from '@millrace/local-stack'
import pg from 'pg'
import { type LineTime, timeOfLine } from './line-times.js'

const WAIT_MS = 600_000

/** Sums of what log-shipper has read and stored. */
export interface StoredCounts {
  /** Lines that searches find: read from the stream and committed. */
  readonly searchable: number
  /** Lines in chunks. */
  readonly stored: number
}

/** Reads what became of the lines, over SQL. */
export class StoredLines {
  readonly #client: pg.Client

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async open({ databaseUrl }: Stack): Promise<StoredLines> {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    return new StoredLines(client)
  }

  async counts(): Promise<StoredCounts> {
    const { rows } = await this.#client.query<StoredCounts>(
      `select coalesce(sum(accepted), 0)::float8 as searchable, coalesce(sum(stored), 0)::float8 as stored from ledger_consumed where stream = 'logs'`,
    )
    return rows[0] ?? { searchable: 0, stored: 0 }
  }

  /** Lines in chunks, by the chunks themselves. */
  async linesOfChunks(): Promise<number> {
    const { rows } = await this.#client.query<{ lines: number }>(
      'select coalesce(sum(lines), 0)::float8 as lines from log_chunks',
    )
    return rows[0]?.lines ?? 0
  }

  /** Bytes of the chunks with their indexes, and the position of the write-ahead log. */
  async sizes(): Promise<{ bytes: number; wal: number }> {
    const { rows } = await this.#client.query<{ bytes: number; wal: number }>(
      `select coalesce(sum(pg_total_relation_size(relid)), 0)::float8 as bytes, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal
       from pg_partition_tree('log_chunks')`,
    )
    return rows[0] ?? { bytes: 0, wal: 0 }
  }

  /** Waits until the count is reached. @throws when that takes 10 minutes */
  async wait(what: keyof StoredCounts, goal: number): Promise<number> {
    for (const startedAt = performance.now(); ; ) {
      const value = (await this.counts())[what]
      if (value >= goal) return value
      if (performance.now() - startedAt > WAIT_MS)
        throw new Error(`${goal - value} acknowledged lines were not ${what} within ${WAIT_MS / 1000} s`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async close(): Promise<void> {
    await this.#client.end()
  }
}

/** What the check of a sample found; each number but `checked` must be 0. */
export interface SampleCheck {
  readonly checked: number
  readonly missing: number
  readonly repeated: number
}

/** A line as the API shows it. */
export interface ShownLine {
  readonly time: string
  readonly service: string
  readonly trace_id?: string | null
}

/** The lines that the API finds in one millisecond. */
export async function linesAt({ url, adminKey }: Stack, ms: number): Promise<ShownLine[]> {
  const range = new URLSearchParams({
    from: new Date(ms).toISOString(),
    to: new Date(ms + 1).toISOString(),
    limit: '100',
  })
  const response = await fetch(`${url}/api/v1/logs?${range.toString()}`, {
    headers: { authorization: `Bearer ${adminKey}` },
  })
  if (!response.ok) throw new Error(`a search got ${response.status}: ${(await response.text()).slice(0, 300)}`)
  return ((await response.json()) as { data: ShownLine[] }).data
}

/** Looks for some of the lines by their times, which are unique. */
export async function checkSample(
  stack: Stack,
  { startMs, numbers }: { readonly startMs: number; readonly numbers: readonly number[] },
): Promise<SampleCheck> {
  const time: LineTime = { ms: 0, subNs: 0 }
  let missing = 0
  let repeated = 0
  for (const number of numbers) {
    timeOfLine(startMs, number, time)
    const wanted = `${new Date(time.ms).toISOString().slice(0, -1)}${String(time.subNs).padStart(6, '0')}Z`
    const found = (await linesAt(stack, time.ms)).filter((line) => line.time === wanted).length
    if (found === 0) missing++
    else if (found > 1) repeated++
  }
  return { checked: numbers.length, missing, repeated }
}
