import pg from 'pg'

export interface PartitionState {
  partition: number
  owner: string | null
  epoch: number
  isLeaseLive: boolean
}

/** Who owns the partitions of the events stream, by the clock of PostgreSQL. */
export async function readPartitions(databaseUrl: string): Promise<PartitionState[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const sql = `select partition, owner, epoch::float8 as epoch, coalesce(lease_expires_at > clock_timestamp(), false) as "isLeaseLive"
      from stream_partitions where stream = 'events' order by group_name, partition`
    return (await client.query<PartitionState>(sql)).rows
  } finally {
    await client.end()
  }
}

/** Times a partition was given to an owner, its first one not counted. */
export async function countTakeovers(databaseUrl: string): Promise<number> {
  const partitions = await readPartitions(databaseUrl)
  return partitions.reduce((sum, { epoch }) => sum + Math.max(0, epoch - 1), 0)
}
