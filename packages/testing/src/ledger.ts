import { MINUTE_MS } from '@millrace/contracts'
import { waitFor } from '@millrace/local-stack'
import { withClient } from './with-client.js'

/** One stream and tenant of `GET /api/v1/ledger`. */
export interface LedgerEntry {
  stream: string
  tenant: string
  accepted: number
  stored: number
  /** The part of `stored` whose rows retention has deleted. */
  expired: number
  duplicate: number
  rejected: number
  dead_lettered: number
  in_flight: number
  lost?: number
  balanced: boolean
}

export interface LedgerSource {
  gatewayUrl: string
  /** A key that may read. */
  readKey: string
}

/** The balance of the `events` stream for the tenant of the key. */
export async function readLedger({ gatewayUrl, readKey }: LedgerSource): Promise<LedgerEntry> {
  const response = await fetch(`${gatewayUrl}/api/v1/ledger`, {
    headers: { authorization: `Bearer ${readKey}` },
    signal: AbortSignal.timeout(MINUTE_MS),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`the ledger answered ${response.status}: ${text.slice(0, 300)}`)
  const { streams } = JSON.parse(text) as { streams: LedgerEntry[] }
  const entry = streams.find(({ stream, tenant }) => stream === 'events' && tenant === 'default')
  if (!entry) throw new Error(`the ledger does not list the stream: ${text.slice(0, 300)}`)
  return entry
}

/**
 * Waits until at least `stored` events are stored and nothing is in flight. The number of accepted events is no criterion: it includes repeated events,
 * and the gateway's own count may be a second old. @throws when no further event has been stored, dropped as a duplicate or dead-lettered for `stuckMs`: a
 * busy machine may need any time for a long backlog
 */
export async function waitUntilSettled(source: LedgerSource, stored: number, stuckMs: number): Promise<LedgerEntry> {
  let last: LedgerEntry | undefined
  let settled = -1
  for (;;) {
    try {
      const isSettledOrMoves = async () => {
        last = await readLedger(source)
        const sum = last.stored + last.duplicate + last.dead_lettered
        const hasMoved = sum > settled
        settled = Math.max(sum, settled)
        return (isSettled(last, stored) || hasMoved) && last
      }
      const what = `the storage of ${stored} events`
      const entry = await waitFor(isSettledOrMoves, { deadlineMs: stuckMs, intervalMs: 250, what })
      if (isSettled(entry, stored)) return entry
    } catch (error) {
      throw new Error(`${(error as Error).message}; the last ledger: ${JSON.stringify(last)}`, { cause: error })
    }
  }
}

function isSettled(entry: LedgerEntry, stored: number): boolean {
  return entry.stored >= stored && entry.in_flight === 0 && entry.balanced
}

/** The first fault of the balance, also compared with the table; undefined when there is none. */
export async function findLedgerFault(databaseUrl: string, entry: LedgerEntry): Promise<string | undefined> {
  const {
    accepted,
    stored,
    expired,
    duplicate,
    rejected,
    dead_lettered: deadLettered,
    in_flight: inFlight,
    balanced,
  } = entry
  const sum = stored + duplicate + rejected + deadLettered + inFlight
  if (sum !== accepted)
    return `accepted is ${accepted}, but stored + duplicate + rejected + dead-lettered + in flight is ${sum}`
  if (inFlight !== 0) return `${inFlight} are still in flight`
  if (!balanced) return 'the ledger calls itself unbalanced'
  const rows = await countRows(databaseUrl, entry.tenant)
  return rows === stored - expired
    ? undefined
    : `the ledger says ${stored} stored and ${expired} of them expired, the table has ${rows} rows`
}

async function countRows(databaseUrl: string, tenant: string): Promise<number> {
  const sql = `select count(*)::float8 as rows from events join tenants on tenants.id = events.tenant_id where tenants.name = $1 and events.position >= 0`
  const { rows } = await withClient(databaseUrl, (client) => client.query<{ rows: number }>(sql, [tenant]))
  return rows[0]?.rows ?? 0
}
