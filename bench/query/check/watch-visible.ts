import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

const PAUSE_MS = 10

export interface VisibilityWatch {
  stop(): Promise<void>
  /** When the row at a position was first known to be visible; Infinity when it was not by the end. */
  visibleMs(row: { partition: number; position: number }): number
}

/**
 * Polls up to which position each partition of the stream is stored, and notes when it saw that. A row and the position after it are committed together,
 * so a row is visible once its position has been passed. PostgreSQL's own commit timestamp may be earlier by the time its log takes to reach the disk.
 */
export async function watchVisible(databaseUrl: string): Promise<VisibilityWatch> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const sightings = new Map<number, { next: number; atMs: number }[]>()
  let isStopped = false
  const run = async () => {
    while (!isStopped) {
      const { rows } = await client.query<{ partition: number; next: number }>(
        `select partition, next_ordinal::float8 as next from stream_partitions where stream = 'events'`,
      )
      const atMs = Date.now()
      for (const { partition, next } of rows) {
        const seen = sightings.get(partition) ?? []
        if (seen.at(-1)?.next !== next) seen.push({ next, atMs })
        sightings.set(partition, seen)
      }
      await delay(PAUSE_MS)
    }
    await client.end()
  }
  const running = run()
  running.catch(() => {})
  return {
    stop: () => {
      isStopped = true
      return running
    },
    visibleMs: ({ partition, position }) =>
      sightings.get(partition)?.find(({ next }) => next > position)?.atMs ?? Number.POSITIVE_INFINITY,
  }
}
