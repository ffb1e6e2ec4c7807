import type { Position } from '../driver/stream-driver.js'
import type { SqlClient } from './database-port.js'

/** The row of a partition that this member has just taken. */
export interface TakenPartition {
  readonly partition: number
  readonly epoch: number
  readonly position: Position
  readonly nextOrdinal: number
  readonly frames: number
  readonly flushedPosition: Position
  readonly flushedOrdinal: number
  /** ms since 1970. */
  readonly watermarkMs: number | undefined
}

/** The last sequence that a partition has of a producer. */
export interface KnownProducer {
  readonly partition: number
  readonly producer: string
  readonly sequence: number
  readonly records: number
}

/** How far one group has flushed a partition: no frame after `position` may be trimmed. */
export interface FlushedPosition {
  readonly partition: number
  readonly position: Position
  /** Everything that was appended up to this time is flushed, ms since 1970; undefined before the first commit. */
  readonly watermarkMs: number | undefined
}

/** What a heartbeat found out. */
export interface Heartbeat {
  /** Epochs of the partitions whose leases were renewed. */
  readonly renewed: ReadonlyMap<number, number>
  /** Members with a heartbeat within the last lease, including this one. */
  readonly liveMembers: number
}

interface PartitionRow {
  partition: number
  epoch: string
  position: string
  next_ordinal: string
  frames: string
  flushed_position: string
  flushed_ordinal: string
  watermark_ms: number | null
}

const RETURNING = `returning p.partition, p.epoch::text, p.position, p.next_ordinal::text, p.frames::text, p.flushed_position, p.flushed_ordinal::text,
  (extract(epoch from p.watermark) * 1000)::float8 as watermark_ms`

/** The rows of one group and stream: one SQL statement a method. Only PostgreSQL's clock decides whether a lease is valid. */
export class GroupTable {
  readonly #client: SqlClient
  readonly #group: string
  readonly #stream: string
  readonly #member: string
  readonly #leaseMs: number

  constructor(
    client: SqlClient,
    { group, stream, member, leaseMs }: { group: string; stream: string; member: string; leaseMs: number },
  ) {
    this.#client = client
    this.#group = group
    this.#stream = stream
    this.#member = member
    this.#leaseMs = leaseMs
  }

  /** Creates missing rows. Members may call it at the same time. */
  async ensurePartitions(partitions: number): Promise<void> {
    await this.#client.query(
      `insert into stream_partitions (group_name, stream, partition)
       select $1, $2, p from generate_series(0, $3::integer - 1) p order by p on conflict do nothing`,
      [this.#group, this.#stream, partitions],
    )
  }

  /**
   * Notes that this member is alive and renews its leases. An expired lease that nobody has taken is renewed too: its epoch has not changed.
   * `idle`: partitions that are committed up to their end, with the time at which that was observed (ms since 1970).
   */
  async heartbeat(idle: ReadonlyMap<number, number>): Promise<Heartbeat> {
    const { rows } = await this.#client.query<{ partition: number | null; epoch: string | null; live: string }>(
      `with alive as (
         insert into stream_members (group_name, stream, member, heartbeat_at) values ($1, $2, $3, clock_timestamp())
         on conflict (group_name, stream, member) do update set heartbeat_at = excluded.heartbeat_at
       ), renewed as (
         update stream_partitions p set
           lease_expires_at = clock_timestamp() + $4 * interval '1 millisecond',
           watermark = greatest(p.watermark, idle.seen_at),
           flushed_watermark = case when p.flushed_ordinal = p.next_ordinal then greatest(p.watermark, idle.seen_at) else p.flushed_watermark end,
           updated_at = clock_timestamp()
         from stream_partitions held
         left join (select partition, to_timestamp(ms / 1000) as seen_at from unnest($5::smallint[], $6::float8[]) as i(partition, ms)) idle
           on idle.partition = held.partition
         where held.group_name = $1 and held.stream = $2 and held.owner = $3
           and p.group_name = held.group_name and p.stream = held.stream and p.partition = held.partition and p.owner = $3
         returning p.partition, p.epoch
       ), others as (
         select count(*) as live from stream_members
         where group_name = $1 and stream = $2 and member <> $3 and heartbeat_at > clock_timestamp() - $4 * interval '1 millisecond'
       )
       select renewed.partition, renewed.epoch::text, (others.live + 1)::text as live from others left join renewed on true`,
      [this.#group, this.#stream, this.#member, this.#leaseMs, [...idle.keys()], [...idle.values()]],
    )
    const renewed = new Map(
      rows.flatMap(({ partition, epoch }) => (partition === null ? [] : [[partition, Number(epoch)] as const])),
    )
    return { renewed, liveMembers: Number(rows[0]?.live ?? 1) }
  }

  /**
   * Takes up to `limit` partitions that are free, whose lease has expired, or that an earlier session of this member held. Rows that other members
   * are taking at this moment are skipped, so members never wait for each other. The new epoch fences the previous owner.
   */
  async take(limit: number, except: readonly number[]): Promise<TakenPartition[]> {
    const { rows } = await this.#client.query<PartitionRow>(
      `with free as (
         select partition from stream_partitions
         where group_name = $1 and stream = $2 and partition <> all($6::smallint[])
           and (owner is null or owner = $3 or lease_expires_at < clock_timestamp())
         order by owner is not distinct from $3 desc, partition limit $5 for update skip locked
       )
       update stream_partitions p set
         owner = $3, epoch = p.epoch + 1, lease_expires_at = clock_timestamp() + $4 * interval '1 millisecond', updated_at = clock_timestamp()
       from free where p.group_name = $1 and p.stream = $2 and p.partition = free.partition ${RETURNING}`,
      [this.#group, this.#stream, this.#member, this.#leaseMs, limit, [...except]],
    )
    return rows.map(toTaken)
  }

  /**
   * Takes those of these partitions, assigned to this member by the broker, that are free, whose lease has expired, that an earlier session of this
   * member held, or that are among `overdue`: those are taken from any owner. Waits for a commit of the old owner that is under way.
   */
  async claim(partitions: readonly number[], overdue: readonly number[]): Promise<TakenPartition[]> {
    const { rows } = await this.#client.query<PartitionRow>(
      `update stream_partitions p set
         owner = $3, epoch = p.epoch + 1, lease_expires_at = clock_timestamp() + $4 * interval '1 millisecond', updated_at = clock_timestamp()
       where group_name = $1 and stream = $2 and partition = any($5::smallint[])
         and (owner is null or owner = $3 or lease_expires_at < clock_timestamp() or partition = any($6::smallint[])) ${RETURNING}`,
      [this.#group, this.#stream, this.#member, this.#leaseMs, [...partitions], [...overdue]],
    )
    return rows.map(toTaken)
  }

  /** Releases partitions at once, except those that another member has taken by now. */
  async release(partitions: readonly number[]): Promise<void> {
    await this.#client.query(
      `update stream_partitions set owner = null, lease_expires_at = null, blocked_reason = null, blocked_since = null, updated_at = clock_timestamp()
       where group_name = $1 and stream = $2 and owner = $3 and partition = any($4::smallint[])`,
      [this.#group, this.#stream, this.#member, [...partitions]],
    )
  }

  /** Releases all partitions under this member's name except these. */
  async releaseAllExcept(partitions: readonly number[]): Promise<void> {
    await this.#client.query(
      `update stream_partitions set owner = null, lease_expires_at = null, blocked_reason = null, blocked_since = null, updated_at = clock_timestamp()
       where group_name = $1 and stream = $2 and owner = $3 and partition <> all($4::smallint[])`,
      [this.#group, this.#stream, this.#member, [...partitions]],
    )
  }

  /** Releases all partitions and removes this member, and members without a heartbeat for an hour. */
  async leave(): Promise<void> {
    await this.#client.query(
      `with gone as (
         delete from stream_members where group_name = $1 and stream = $2
           and (member = $3 or heartbeat_at < clock_timestamp() - greatest(interval '1 hour', $4 * interval '1 millisecond'))
       )
       update stream_partitions set owner = null, lease_expires_at = null, updated_at = clock_timestamp()
       where group_name = $1 and stream = $2 and owner = $3`,
      [this.#group, this.#stream, this.#member, this.#leaseMs],
    )
  }

  async producersOf(partitions: readonly number[]): Promise<KnownProducer[]> {
    const { rows } = await this.#client.query<{
      partition: number
      producer: string
      last_sequence: string
      records: string
    }>(
      `select partition, producer::text, last_sequence::text, records::text from stream_producers
       where group_name = $1 and stream = $2 and partition = any($3::smallint[])`,
      [this.#group, this.#stream, [...partitions]],
    )
    return rows.map((row) => ({
      partition: row.partition,
      producer: row.producer,
      sequence: Number(row.last_sequence),
      records: Number(row.records),
    }))
  }

  /**
   * Deletes producers whose last frame was committed `silentMs` before the partition's watermark. The clock alone would not do: a group that was
   * stopped has yet to read their newer frames. Rows with a loss stay, because the ledger shows the loss.
   */
  async forgetProducers(partitions: readonly number[], silentMs: number): Promise<void> {
    await this.#client.query(
      `delete from stream_producers s using stream_partitions p
       where s.group_name = $1 and s.stream = $2 and s.partition = any($4::smallint[]) and s.lost_records = 0
         and p.group_name = s.group_name and p.stream = s.stream and p.partition = s.partition and p.owner = $3
         and s.updated_at < least(p.watermark, clock_timestamp()) - $5 * interval '1 millisecond'`,
      [this.#group, this.#stream, this.#member, [...partitions], silentMs],
    )
  }

  /** Resets the position, so that all frames in the stream are read again. Returns false when the lease is lost. */
  async rewind({ partition, epoch }: TakenPartition, frames: number): Promise<boolean> {
    const { rowCount } = await this.#client.query(
      `update stream_partitions set position = '', flushed_position = '', frames = $6, updated_at = clock_timestamp()
       where group_name = $1 and stream = $2 and owner = $3 and partition = $4 and epoch = $5`,
      [this.#group, this.#stream, this.#member, partition, epoch, frames],
    )
    return rowCount === 1
  }

  /** Writes to this member's partitions why nothing is committed; null clears it. */
  async showBlocked(reason: string | null): Promise<void> {
    await this.#client.query(
      `update stream_partitions set
         blocked_reason = $4::text, blocked_since = case when $4::text is null then null else coalesce(blocked_since, clock_timestamp()) end
       where group_name = $1 and stream = $2 and owner = $3`,
      [this.#group, this.#stream, this.#member, reason],
    )
  }

  /** Whether another member holds partitions under a valid lease and none of them is blocked. */
  async isOtherMemberWorking(): Promise<boolean> {
    const { rows } = await this.#client.query<{ is_at_work: boolean }>(
      `select exists (select from stream_partitions where group_name = $1 and stream = $2 and owner <> $3
         and lease_expires_at > clock_timestamp() group by owner having count(blocked_reason) = 0) as is_at_work`,
      [this.#group, this.#stream, this.#member],
    )
    return rows[0]?.is_at_work === true
  }

  /** How far each group of the stream has flushed, by partition. */
  async flushedPositions(partitions: readonly number[]): Promise<FlushedPosition[]> {
    const { rows } = await this.#client.query<{ partition: number; position: string; watermark_ms: number | null }>(
      `select partition, flushed_position as position, (extract(epoch from flushed_watermark) * 1000)::float8 as watermark_ms
       from stream_partitions where stream = $1 and partition = any($2::smallint[])`,
      [this.#stream, [...partitions]],
    )
    return rows.map(({ partition, position, watermark_ms }) => ({
      partition,
      position,
      watermarkMs: watermark_ms ?? undefined,
    }))
  }
}

function toTaken(row: PartitionRow): TakenPartition {
  return {
    partition: row.partition,
    epoch: Number(row.epoch),
    position: row.position,
    nextOrdinal: Number(row.next_ordinal),
    frames: Number(row.frames),
    flushedPosition: row.flushed_position,
    flushedOrdinal: Number(row.flushed_ordinal),
    watermarkMs: row.watermark_ms ?? undefined,
  }
}
