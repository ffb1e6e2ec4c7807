import { transposeFilters } from '@millrace/column-store'
import type { Database, Transaction } from '@millrace/database'

/** Chunks of a group of filters. Part of what is stored: never change it. */
export const GROUP_CHUNKS = 240

interface GroupToMake {
  readonly tenant_id: number
  readonly day: Date
  readonly bytes: number
}

/**
 * Puts the token filters of chunks of one tenant and day into groups, as soon as there are 240 of equal length: a search then reads one piece of a group for a
 * token where it would read a piece of each filter. A search that runs meanwhile finds the filters either way. Returns the number of groups that were made.
 */
export async function groupFilters(database: Pick<Database, 'query' | 'transaction'>): Promise<number> {
  const { rows } = await database.query<GroupToMake>({
    name: 'log-filters-to-group',
    text: `select tenant_id, day, octet_length(filter) as bytes from log_chunks where filter is not null and day >= now() - interval '3 days'
      group by 1, 2, 3 having count(*) >= ${GROUP_CHUNKS}`,
  })
  let made = 0
  for (const group of rows) while (await database.transaction((tx) => makeGroup(tx, group))) made++
  return made
}

async function makeGroup(tx: Transaction, { tenant_id, day, bytes }: GroupToMake): Promise<boolean> {
  // Another process that does the same gets other rows.
  const { rows } = await tx.query<{ chunk_id: bigint; filter: Buffer }>(
    `select chunk_id, filter from log_chunks where tenant_id = $1 and day = $2 and octet_length(filter) = $3 order by chunk_id limit ${GROUP_CHUNKS}
     for update skip locked`,
    [tenant_id, day, bytes],
  )
  if (rows.length < GROUP_CHUNKS) return false
  const group = transposeFilters(rows.map(({ filter }) => filter))
  const ids = rows.map(({ chunk_id }) => chunk_id)
  await tx.query(
    `update log_chunks as c set filter = null, filter_group = $3, filter_slot = slot - 1, group_filter = case when chunk_id = $3 then $4::bytea end
     from unnest($5::bigint[]) with ordinality as g (id, slot) where c.tenant_id = $1 and c.day = $2 and c.chunk_id = g.id`,
    [tenant_id, day, ids[0], group, ids],
  )
  return true
}
