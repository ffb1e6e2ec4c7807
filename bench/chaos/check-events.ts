import { createInterface } from 'node:readline'
import { withClient } from '@millrace/testing'
import { to as copyTo } from 'pg-copy-streams'
import { firstOfBatch, messageId, type Numbering, numberOf, userId, userOf } from '../load/numbering.js'

/** A load whose batches were all acknowledged: connection c sent c, c + connections, … `batches[c]` of them. */
export interface SentLoad {
  numbering: Numbering
  batches: number[]
}

export interface EventFindings {
  /** Rows that were read, including those of other senders. */
  rows: number
  /** Events of the loads that were acknowledged. */
  acknowledged: number
  /** Acknowledged events without a row. */
  missing: number
  /** Rows after the first with the same message id. */
  doubled: number
  /** Rows whose position is before that of an earlier event of the same user, or in another partition. */
  outOfOrder: number
  /** Rows whose user differs from the one that was sent with this message id. */
  altered: number
  /** The first few faults as text. */
  examples: string[]
}

const EXAMPLES_MAX = 10
/** Positions and partitions in one number: a partition holds fewer than 2^48 records. */
const PARTITION_STRIDE = 2 ** 48

/**
 * Reads every row at a position of a stream (preloaded rows have negative ones) and compares it with what was sent.
 * Memory: 8 bytes an acknowledged event, and the ids of other senders.
 */
export async function checkEvents(databaseUrl: string, loads: SentLoad[]): Promise<EventFindings> {
  const findings: EventFindings = {
    rows: 0,
    acknowledged: 0,
    missing: 0,
    doubled: 0,
    outOfOrder: 0,
    altered: 0,
    examples: [],
  }
  const maps = loads.map((load) => ({ ...load, places: new Float64Array(eventBound(load)).fill(-1) }))
  const others = new Set<string>()
  await readRows(databaseUrl, (id, user, partition, position) => {
    findings.rows++
    for (const map of maps) {
      const number = numberOf(map.numbering.seed, id)
      if (number === undefined || number >= map.places.length) continue
      if (map.places[number] !== -1) note(findings, 'doubled', `${id} is stored twice`)
      if (user !== userId(userOf(map.numbering, number))) note(findings, 'altered', `${id} has user ${user}`)
      map.places[number] = partition * PARTITION_STRIDE + position
      return
    }
    if (others.has(id)) note(findings, 'doubled', `${id} is stored twice`)
    others.add(id)
  })
  for (const map of maps) checkLoad(map, findings)
  return findings
}

/** The faults in one line, or undefined when there is none. */
export function describeFaults(findings: EventFindings): string | undefined {
  const { missing, doubled, outOfOrder, altered, examples } = findings
  if (missing + doubled + outOfOrder + altered === 0) return undefined
  return `${missing} missing, ${doubled} doubled, ${outOfOrder} out of order, ${altered} altered: ${examples.join('; ')}`
}

function checkLoad(map: SentLoad & { places: Float64Array }, findings: EventFindings): void {
  const { numbering, batches, places } = map
  const last = new Map<number, number>()
  for (let number = 0; number < places.length; number++) {
    const batch = Math.floor(number / numbering.batchEvents)
    const isAcknowledged = Math.floor(batch / numbering.connections) < (batches[batch % numbering.connections] ?? 0)
    const place = places[number] as number
    if (isAcknowledged) findings.acknowledged++
    if (place === -1) {
      if (isAcknowledged)
        note(findings, 'missing', `${messageId(numbering.seed, number)} was acknowledged and is not there`)
      continue
    }
    const user = userOf(numbering, number)
    const before = last.get(user) ?? -1
    const isSamePartition =
      before === -1 || Math.floor(before / PARTITION_STRIDE) === Math.floor(place / PARTITION_STRIDE)
    if (place <= before || !isSamePartition)
      note(findings, 'outOfOrder', `${userId(user)}: ${messageId(numbering.seed, number)}`)
    last.set(user, place)
  }
}

/** One batch more than was acknowledged, since the last one may have been stored without an answer. */
function eventBound({ numbering, batches }: SentLoad): number {
  const rounds = Math.max(0, ...batches) + 1
  return firstOfBatch(numbering, rounds * numbering.connections)
}

function note(findings: EventFindings, kind: 'missing' | 'doubled' | 'outOfOrder' | 'altered', example: string): void {
  findings[kind]++
  if (findings.examples.length < EXAMPLES_MAX) findings.examples.push(`${kind}: ${example}`)
}

type OnRow = (id: string, user: string, partition: number, position: number) => void

async function readRows(databaseUrl: string, onRow: OnRow): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    const rows = client.query(
      copyTo('copy (select message_id, user_id, partition, position from events where position >= 0) to stdout'),
    )
    // The reader of lines listens for errors until the last row only.
    rows.on('error', () => undefined)
    for await (const line of createInterface({ input: rows })) {
      const [id = '', user = '', partition, position] = line.split('\t')
      onRow(id, user, Number(partition), Number(position))
    }
    // The rows end before the statement does, and ending a connection during a statement breaks it: that would be an error of `rows`.
    await client.query('select 1')
  })
}
