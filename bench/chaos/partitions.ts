import { waitFor } from '@millrace/local-stack'
import { withClient } from '@millrace/testing'
import type pg from 'pg'

export interface PartitionState {
  partition: number
  owner: string | null
  epoch: number
  isLeaseLive: boolean
}

/** The owners of the partitions of the events stream, and whether their leases are valid by PostgreSQL's clock. */
export async function readPartitions(databaseUrl: string): Promise<PartitionState[]> {
  return await query<PartitionState>(
    databaseUrl,
    `select partition, owner, epoch::float8 as epoch, coalesce(lease_expires_at > clock_timestamp(), false) as "isLeaseLive"
      from stream_partitions where stream = 'events' order by group_name, partition`,
  )
}

/** How often a partition changed its owner. */
export async function countTakeovers(databaseUrl: string): Promise<number> {
  const partitions = await readPartitions(databaseUrl)
  return partitions.reduce((sum, { epoch }) => sum + Math.max(0, epoch - 1), 0)
}

/** Waits until consumers commit further events. PostgreSQL may be down at first. */
export async function waitUntilStoring(databaseUrl: string): Promise<void> {
  let before: number | undefined
  const hasGrown = async () => {
    const sql = `select coalesce(sum(stored), 0)::float8 as stored from ledger_consumed where stream = 'events'`
    const stored = (await query<{ stored: number }>(databaseUrl, sql))[0]?.stored ?? 0
    before ??= stored
    return stored > before
  }
  await waitFor(hasGrown, { deadlineMs: 90_000, intervalMs: 50, what: 'the storage of further events' })
}

async function query<T extends pg.QueryResultRow>(databaseUrl: string, sql: string): Promise<T[]> {
  return await withClient(databaseUrl, async (client) => (await client.query<T>(sql)).rows)
}
