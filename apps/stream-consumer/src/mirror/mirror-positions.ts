import type { Queryable } from '@millrace/database'

/** Whose positions they are. */
export interface MirrorScope {
  readonly topic: string
  readonly group: string
  readonly stream: string
}

/** The place in a partition up to which its events are in the topic. */
export interface MirrorPosition {
  readonly partition: number
  readonly nextOrdinal: number
  readonly mirroredUntilMs: number
}

/** A position that moves from one ordinal to a later one. */
export interface PositionMove {
  readonly partition: number
  readonly from: number
  readonly to: number
  /** Receipt of the last event before `to`, ms since 1970; null when there was none. */
  readonly receivedAtMs: number | null
}

/** The rows of `mirror_positions` of one mirror. */
export class MirrorPositions {
  readonly #database: Queryable
  readonly #scope: readonly [string, string, string]

  constructor({ topic, group, stream }: MirrorScope, { database }: { database: Queryable }) {
    this.#database = database
    this.#scope = [topic, group, stream]
  }

  /** Reads the positions of these partitions. A partition that has none yet begins at its `start`. */
  async load(partitions: readonly { partition: number; start: number }[]): Promise<MirrorPosition[]> {
    const numbers = partitions.map(({ partition }) => partition)
    await this.#database.query(
      `insert into mirror_positions (topic, group_name, stream, partition, next_ordinal)
       select $1, $2, $3, * from unnest($4::smallint[], $5::bigint[]) on conflict do nothing`,
      [...this.#scope, numbers, partitions.map(({ start }) => start)],
    )
    const { rows } = await this.#database.query<{ partition: number; next_ordinal: bigint; mirrored_until: Date }>(
      `select partition, next_ordinal, mirrored_until from mirror_positions
       where topic = $1 and group_name = $2 and stream = $3 and partition = any ($4::smallint[])`,
      [...this.#scope, numbers],
    )
    return rows.map((row) => ({
      partition: row.partition,
      nextOrdinal: Number(row.next_ordinal),
      mirroredUntilMs: row.mirrored_until.getTime(),
    }))
  }

  /**
   * Moves positions that are still where the caller read them, and returns their partitions. A position that another process has moved stays, so that
   * a process that was suspended beyond its lease moves nothing back.
   */
  async move(moves: readonly PositionMove[]): Promise<ReadonlySet<number>> {
    const { rows } = await this.#database.query<{ partition: number }>(
      `update mirror_positions p set next_ordinal = m.to_ordinal, mirrored_until = coalesce(m.received_at, p.mirrored_until),
         blocked_reason = null, blocked_since = null, updated_at = now()
       from unnest($4::smallint[], $5::bigint[], $6::bigint[], $7::timestamptz[]) as m (partition, from_ordinal, to_ordinal, received_at)
       where p.topic = $1 and p.group_name = $2 and p.stream = $3 and p.partition = m.partition and p.next_ordinal = m.from_ordinal
       returning p.partition`,
      [
        ...this.#scope,
        moves.map(({ partition }) => partition),
        moves.map(({ from }) => from),
        moves.map(({ to }) => to),
        moves.map(({ receivedAtMs }) => (receivedAtMs === null ? null : new Date(receivedAtMs).toISOString())),
      ],
    )
    return new Set(rows.map(({ partition }) => partition))
  }

  /**
   * Clears the noted reason of every partition of the group, including the partitions of other consumers. A consumer whose writes still fail notes its
   * reason again with its next attempt.
   */
  async unblock(): Promise<void> {
    await this.#database.query(
      `update mirror_positions set blocked_reason = null, blocked_since = null
       where topic = $1 and group_name = $2 and stream = $3 and blocked_reason is not null`,
      this.#scope,
    )
  }

  /** Notes why these partitions do not move. The next move clears it. Writes nothing where the reason is noted already. */
  async block(partitions: readonly number[], reason: string): Promise<void> {
    await this.#database.query(
      `update mirror_positions set blocked_reason = $5, blocked_since = coalesce(blocked_since, now())
       where topic = $1 and group_name = $2 and stream = $3 and partition = any ($4::smallint[]) and blocked_reason is distinct from $5`,
      [...this.#scope, partitions, reason],
    )
  }
}
