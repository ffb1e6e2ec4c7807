import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

const PAUSE_MS = 10

/**
 * Looks again and again how far each partition of the stream is stored, and when that was seen. A row and the position beyond it are committed together, so
 * a row is surely visible once its position has been seen to be passed; PostgreSQL's own instant of a commit may lie before that by the time its log takes
 * to reach the disk.
 */
export async function watchVisible(databaseUrl) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const sightings = new Map()
  let isStopped = false
  const run = async () => {
    while (!isStopped) {
      const { rows } = await client.query(
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
    /** The instant at which the row was first known to be visible; Infinity: not by the end. */
    visibleMs: ({ partition, position }) =>
      sightings.get(partition)?.find(({ next }) => next > position)?.atMs ?? Number.POSITIVE_INFINITY,
  }
}
