import { createHash, randomBytes } from 'node:crypto'
import type { Principal } from '@millrace/auth'
import { liveTicketKey } from '@millrace/contracts'
import { type RedisConnection, toRedisError } from '@millrace/redis'

/** The caller that a ticket stands for: it may read live counts of one tenant, as long as the key that it was issued to is valid. */
export type TicketHolder = Pick<Principal, 'keyId' | 'tenantId'>

export interface IssuedTicket {
  readonly ticket: string
  readonly expiresAt: Date
}

const TICKET_BYTES = 24
const TICKET = /^mr_live_[\w-]{32}$/

/**
 * Tickets for live streams, which stand in a URL where no header can be sent. A ticket can be used any number of times until it expires, because
 * EventSource reconnects with the same URL. All gateways accept it. Redis holds only its hash.
 */
export class LiveTickets {
  readonly #lifetimeMs: number
  readonly #redis: RedisConnection
  readonly #now: () => number

  /** `now` is in milliseconds since 1970. */
  constructor({ lifetimeMs }: { lifetimeMs: number }, { redis, now }: { redis: RedisConnection; now: () => number }) {
    this.#lifetimeMs = lifetimeMs
    this.#redis = redis
    this.#now = now
  }

  /** @throws REDIS_UNAVAILABLE and other errors of Redis */
  async issue({ keyId, tenantId }: TicketHolder): Promise<IssuedTicket> {
    const ticket = `mr_live_${randomBytes(TICKET_BYTES).toString('base64url')}`
    const expiresAt = new Date(this.#now() + this.#lifetimeMs)
    const holder: TicketHolder = { keyId, tenantId }
    try {
      await this.#redis.client.set(keyOf(ticket), JSON.stringify(holder), 'PX', this.#lifetimeMs)
    } catch (error) {
      throw toRedisError('issuing a ticket', error)
    }
    return { ticket, expiresAt }
  }

  /** The holder of a ticket; undefined when it was never issued or has expired. @throws REDIS_UNAVAILABLE and other errors of Redis */
  async find(ticket: string): Promise<TicketHolder | undefined> {
    if (!TICKET.test(ticket)) return undefined
    try {
      const found = await this.#redis.client.get(keyOf(ticket))
      return found === null ? undefined : (JSON.parse(found) as TicketHolder)
    } catch (error) {
      throw toRedisError('looking up a ticket', error)
    }
  }
}

function keyOf(ticket: string): string {
  return liveTicketKey(createHash('sha256').update(ticket).digest('base64url'))
}
