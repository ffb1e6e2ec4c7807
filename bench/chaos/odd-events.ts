import { setTimeout as delay } from 'node:timers/promises'
import { withClient } from '@millrace/testing'
import { WireConnection, type WireResponse } from '../load/wire-connection.js'
import { ACKNOWLEDGED_WITHIN_MS, orGiveUp } from './chaos-load.js'

/** The name of the event that the table refuses, see `addPoisonConstraint`. */
const POISON = 'Poison'
const PAUSE_MS = 250
const RETRY_AFTER_MS = 200
const ANSWER_TIMEOUT_MS = 5_000

/** Acknowledged batches of three: one event that is stored, one that the gateway rejects, one that becomes a dead letter. */
export interface OddSent {
  readonly good: readonly string[]
  readonly poison: readonly string[]
}

/** A slow client beside the load whose events change every term of the ledger. */
export interface OddLoad {
  /**
   * Ends once the current batch is acknowledged. The second call returns the same.
   * @throws when an answer is wrong, or the batch is not acknowledged within this time, in milliseconds. Default 240,000.
   */
  stop(withinMs?: number): Promise<OddSent>
}

interface OddLoadOptions {
  readonly urls: readonly string[]
  readonly writeKey: string
  readonly seed: number
}

export function startOddLoad(options: OddLoadOptions): OddLoad {
  const sent = { good: [] as string[], poison: [] as string[] }
  const abort = new AbortController()
  const giveUp = new AbortController()
  const running = (async () => {
    for (let number = 0; !abort.signal.aborted; number++) {
      const [good, poison] = ['good', 'poison'].map((kind) => `odd-${options.seed}-${number}-${kind}`) as [
        string,
        string,
      ]
      checkAnswer(await sendUntilAcknowledged(options, [good, poison], giveUp.signal))
      sent.good.push(good)
      sent.poison.push(poison)
      await delay(PAUSE_MS, undefined, { signal: abort.signal }).catch(() => undefined)
    }
  })()
  running.catch(() => undefined)
  return {
    stop: async (withinMs = ACKNOWLEDGED_WITHIN_MS) => {
      abort.abort()
      await orGiveUp(running, { giveUp, withinMs })
      return sent
    },
  }
}

async function sendUntilAcknowledged(
  { urls, writeKey }: OddLoadOptions,
  [good, poison]: readonly [string, string],
  giveUp: AbortSignal,
): Promise<WireResponse> {
  const batch = [
    { type: 'track', event: 'Odd', userId: 'odd', messageId: good },
    { type: 'track', event: 'Odd' },
    { type: 'track', event: POISON, userId: 'odd', messageId: poison },
  ]
  const body = JSON.stringify({ batch })
  const request =
    `POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${writeKey}\r\nConnection: close\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  for (let attempt = 0; ; attempt++) {
    giveUp.throwIfAborted()
    const wire = new WireConnection(urls[attempt % urls.length] as string)
    try {
      const answer = await wire.send(request, ANSWER_TIMEOUT_MS).catch(() => undefined)
      if (answer?.status === 200) return answer
      if (answer && answer.status < 500 && answer.status !== 429)
        throw new Error(`a batch was refused with ${answer.status}: ${answer.body.slice(0, 500)}`)
    } finally {
      wire.close()
    }
    await delay(RETRY_AFTER_MS)
  }
}

function checkAnswer({ body }: WireResponse): void {
  const { accepted, rejected } = JSON.parse(body) as { accepted?: number; rejected?: { index: number }[] }
  if (accepted !== 2 || rejected?.length !== 1 || rejected[0]?.index !== 1)
    throw new Error(`only the second of three events must be rejected: ${body.slice(0, 500)}`)
}

/** Makes PostgreSQL refuse events of one name, as it refuses values that the gateway's validation misses. */
export async function addPoisonConstraint(databaseUrl: string): Promise<void> {
  await query(databaseUrl, `alter table events add constraint chaos_poison check (event <> '${POISON}')`)
}

/** The first fault in what the ledger and the tables say about these events, in one line; undefined when there is none. */
export async function findOddFault(
  databaseUrl: string,
  { good, poison }: OddSent,
  ledger: { rejected: number; dead_lettered: number },
): Promise<string | undefined> {
  const count = async (sql: string, ids: readonly string[]) => (await query(databaseUrl, sql, [ids]))[0]
  const stored = await count(STORED, good)
  if (stored?.ids !== good.length || stored.rows !== good.length)
    return `${good.length} good events were sent beside bad ones, and ${stored?.ids} of them are stored in ${stored?.rows} rows`
  const poisoned = await count(STORED, poison)
  if (poisoned?.rows !== 0) return `${poisoned?.rows} rows are stored that PostgreSQL had to refuse`
  const letters = await count(DEAD, poison)
  if (letters?.ids !== poison.length)
    return `${poison.length} events must be dead letters, and ${letters?.ids} of them are`
  if (ledger.rejected < good.length || ledger.dead_lettered < poison.length)
    return `${good.length} batches had bad events, but the ledger shows ${ledger.rejected} rejected and ${ledger.dead_lettered} dead-lettered`
  return undefined
}

const COUNTS = 'count(*)::int as rows, count(distinct message_id)::int as ids'
const STORED = `select ${COUNTS} from events where message_id = any($1)`
const DEAD = `select ${COUNTS} from dead_letters where message_id = any($1)`

async function query(url: string, sql: string, values?: unknown[]): Promise<{ rows: number; ids: number }[]> {
  return await withClient(url, async (client) => (await client.query<{ rows: number; ids: number }>(sql, values)).rows)
}
