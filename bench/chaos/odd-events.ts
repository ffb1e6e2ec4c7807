import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { WireConnection, type WireResponse } from '../load/wire-connection.js'

/** The event that the table refuses, see `refusePoison`. */
const POISON = 'Poison'
const PAUSE_MS = 250
const RETRY_AFTER_MS = 200
const ANSWER_TIMEOUT_MS = 5_000

/** Acknowledged batches of three: one event that is stored, one that the gateway rejects, one that becomes a dead letter. */
export interface OddSent {
  readonly good: readonly string[]
  readonly poison: readonly string[]
}

/** A slow client beside the load, so that every term of the ledger moves. */
export interface OddLoad {
  /** Carries the batch that is under way through; the second call gives the same. @throws when an answer is not what it must be. */
  stop(): Promise<OddSent>
}

export function startOddLoad(options: { urls: readonly string[]; writeKey: string; seed: number }): OddLoad {
  const sent = { good: [] as string[], poison: [] as string[] }
  const abort = new AbortController()
  const running = (async () => {
    for (let number = 0; !abort.signal.aborted; number++) {
      const [good, poison] = ['good', 'poison'].map((kind) => `odd-${options.seed}-${number}-${kind}`) as [
        string,
        string,
      ]
      checkAnswer(await sendUntilAcknowledged(options, [good, poison]))
      sent.good.push(good)
      sent.poison.push(poison)
      await delay(PAUSE_MS, undefined, { signal: abort.signal }).catch(() => undefined)
    }
  })()
  running.catch(() => undefined)
  return {
    stop: async () => {
      abort.abort()
      await running
      return sent
    },
  }
}

async function sendUntilAcknowledged(
  { urls, writeKey }: { urls: readonly string[]; writeKey: string },
  [good, poison]: readonly [string, string],
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
    throw new Error(`of three events the second must be rejected alone: ${body.slice(0, 500)}`)
}

/** From now on PostgreSQL refuses rows of one name, as it refuses what slips through the gateway's checks. */
export async function refusePoison(databaseUrl: string): Promise<void> {
  await query(databaseUrl, `alter table events add constraint chaos_poison check (event <> '${POISON}')`)
}

/** What is wrong with what the ledger and the tables say about them, in a line; undefined when nothing is. */
export async function findOddFault(
  databaseUrl: string,
  { good, poison }: OddSent,
  ledger: { rejected: number; dead_lettered: number },
): Promise<string | undefined> {
  const count = async (sql: string, ids: readonly string[]) => (await query(databaseUrl, sql, [ids]))[0]
  const stored = await count(STORED, good)
  if (stored?.ids !== good.length || stored.rows !== good.length)
    return `${good.length} good events beside odd ones, of which ${stored?.ids} are stored in ${stored?.rows} rows`
  const poisoned = await count(STORED, poison)
  if (poisoned?.rows !== 0) return `${poisoned?.rows} rows that PostgreSQL must have refused are stored`
  const letters = await count(DEAD, poison)
  if (letters?.ids !== poison.length) return `${poison.length} events must be dead letters and ${letters?.ids} are`
  if (ledger.rejected < good.length || ledger.dead_lettered < poison.length)
    return `of ${good.length} odd batches the ledger shows ${ledger.rejected} rejected and ${ledger.dead_lettered} dead-lettered`
  return undefined
}

const COUNTS = 'count(*)::int as rows, count(distinct message_id)::int as ids'
const STORED = `select ${COUNTS} from events where message_id = any($1)`
const DEAD = `select ${COUNTS} from dead_letters where message_id = any($1)`

async function query(url: string, sql: string, values?: unknown[]): Promise<{ rows: number; ids: number }[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<{ rows: number; ids: number }>(sql, values)).rows
  } finally {
    await client.end()
  }
}
