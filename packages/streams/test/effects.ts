import { type Database, migrate, openDatabase, type Transaction } from '@millrace/database'
import type { AssignContext, AssignedPartition, FrameBatch, StreamHandler } from '@millrace/streams'
import { createTestDatabase, waitFor } from '@millrace/testing'
import { linesOf } from './lines-builder.js'

/** Reached only by what is broken. */
const DEADLINE_MS = 120_000

export interface Effects {
  readonly database: Database
  readonly url: string
  /** Lines as they were stored, by partition in the order of their ordinals. */
  lines(): Promise<Map<number, string[]>>
  count(): Promise<number>
  untilCount(count: number): Promise<void>
  release(): Promise<void>
}

/** A migrated database with a table that a handler fills: one row a record, and no key that would hide a record stored twice. */
export async function openEffects(): Promise<Effects> {
  const fixture = await createTestDatabase({ migrate: (url) => migrate(url) })
  const database = openDatabase({ url: fixture.url, applicationName: 'effects' })
  await database.query(
    'create table effects (partition smallint not null, ordinal bigint not null, line text not null)',
  )
  const count = async () =>
    Number((await database.query<{ n: string }>('select count(*)::text as n from effects')).rows[0]?.n)
  return {
    database,
    url: fixture.url,
    count,
    lines: async () => {
      const { rows } = await database.query<{ partition: number; line: string }>(
        'select partition, line from effects order by partition, ordinal',
      )
      const byPartition = new Map<number, string[]>()
      for (const { partition, line } of rows) byPartition.set(partition, [...(byPartition.get(partition) ?? []), line])
      return byPartition
    },
    untilCount: async (wanted) => {
      await waitFor(async () => (await count()) >= wanted, {
        deadlineMs: DEADLINE_MS,
        what: `${wanted} stored records`,
      })
    },
    release: async () => {
      await database.close()
      await fixture.release()
    },
  }
}

/** Stores every line, and records its calls for the tests. */
export class StoringHandler implements StreamHandler<FrameBatch, Transaction> {
  readonly assignments: number[][] = []
  readonly revocations: number[][] = []
  readonly batches: number[] = []
  /** Awaited inside every transaction before it commits. */
  beforeCommit: (batch: FrameBatch, tx: Transaction) => Promise<void> = async () => undefined
  onAssigned: (partitions: readonly AssignedPartition[], context: AssignContext) => Promise<void> = async () =>
    undefined

  async assigned(partitions: readonly AssignedPartition[], context: AssignContext): Promise<void> {
    this.assignments.push(partitions.map(({ partition }) => partition))
    await this.onAssigned(partitions, context)
  }

  prepare(batch: FrameBatch): FrameBatch {
    return batch
  }

  async apply(batch: FrameBatch, tx: Transaction): Promise<void> {
    const rows = batch.frames.flatMap(({ partition, firstOrdinal, payload }) =>
      linesOf(payload).map((line, index) => ({ partition, ordinal: firstOrdinal + index, line })),
    )
    await tx.query('insert into effects select * from unnest($1::smallint[], $2::bigint[], $3::text[])', [
      rows.map(({ partition }) => partition),
      rows.map(({ ordinal }) => ordinal),
      rows.map(({ line }) => line),
    ])
    await this.beforeCommit(batch, tx)
    this.batches.push(batch.records)
  }

  revoked(partitions: readonly number[]): void {
    this.revocations.push([...partitions])
  }
}
