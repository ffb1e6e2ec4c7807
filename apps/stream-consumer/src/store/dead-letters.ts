import { decodeEventRow } from '@millrace/contracts'
import type { Statement } from '@millrace/database'
import { extractRecord } from './extract-record.js'
import { WORD, WORDS } from './frame-view.js'
import type { PoisonReason } from './poison-reason.js'
import { type RecordRef, UNKNOWN_TENANT } from './prepared-batch.js'

/** A record that cannot be stored, and the reason. Index -1 stands for a whole unreadable frame. */
export interface DeadLetterEntry extends RecordRef, PoisonReason {}

/** Inserts new dead letters. Replayed records that are refused again are not new: see `settleReplaysStep`. */
export function deadLettersStep(stream: string, entries: readonly DeadLetterEntry[]): Statement {
  return {
    text: `insert into dead_letters (stream, partition, position, producer, sequence, record_index, tenant_id, message_id, code, reason, record)
           select $1, * from unnest($2::smallint[], $3::text[], $4::uuid[], $5::bigint[], $6::integer[], $7::integer[], $8::text[], $9::text[], $10::text[], $11::bytea[])`,
    values: [
      stream,
      entries.map(({ frame }) => frame.frame.partition),
      entries.map(({ frame }) => frame.frame.position),
      entries.map(({ frame }) => frame.frame.producer),
      entries.map(({ frame }) => frame.frame.sequence),
      entries.map(({ index }) => index),
      entries.map((entry) => tenantOf(entry)),
      entries.map((entry) => messageIdOf(entry)),
      entries.map(({ code }) => code),
      entries.map(({ reason }) => reason),
      entries.map((entry) => extractRecord(entry)),
    ],
  }
}

/**
 * Updates the dead letters of replayed records: to 'replayed', or back to 'pending' with the new reason. A record
 * finds its dead letter by tenant and message id, since it has a new position in the stream. Of several, for example of
 * different users, it takes the one with the same bytes, or else the oldest; of equal records, each takes its own.
 */
export function settleReplaysStep(outcomes: readonly { record: RecordRef; poison: PoisonReason | null }[]): Statement {
  return {
    text: `update dead_letters d set state = case when o.code is null then 'replayed' else 'pending' end,
             code = coalesce(o.code, d.code), reason = coalesce(o.reason, d.reason), updated_at = now()
           from (select *, row_number() over (partition by tenant_id, message_id, record) - 1 as nth
                 from unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::bytea[]) as r (tenant_id, message_id, code, reason, record)) o
           where d.id = (select id from dead_letters l
                         where l.tenant_id = o.tenant_id and l.message_id = o.message_id and l.state = 'replaying'
                         order by l.record = o.record desc, l.id offset o.nth limit 1)`,
    values: [
      outcomes.map(({ record }) => tenantOf(record)),
      outcomes.map(({ record }) => messageIdOf(record)),
      outcomes.map(({ poison }) => poison?.code ?? null),
      outcomes.map(({ poison }) => poison?.reason ?? null),
      outcomes.map(({ record }) => extractRecord(record)),
    ],
  }
}

export function tenantOf({ frame: { view }, index }: RecordRef): number {
  return view === null || index < 0 ? UNKNOWN_TENANT : (view.words[index * WORDS + WORD.tenantId] as number)
}

/** The message id, as text that PostgreSQL can store; empty when it cannot be read. */
export function messageIdOf({ frame: { view }, index }: RecordRef): string {
  if (view === null || index < 0) return ''
  try {
    const { start } = view.reader.rowRange(index)
    return decodeEventRow(view.reader.payload, start).messageId.replaceAll('\0', '\uFFFD')
  } catch (error) {
    if (error instanceof RangeError) return ''
    throw error
  }
}
