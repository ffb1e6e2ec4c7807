import type { KeyManager, Principal, RateLimiter } from '@millrace/auth'
import type {
  AnalyticsServiceService,
  ConsumerServiceService,
  HealthServiceService,
  LogServiceService,
} from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { Calls } from '@millrace/service'
import type { Request } from 'express'
import type { LiveTickets } from '../live/live-tickets.js'
import type { RejectionStore } from '../rejections/rejection-store.js'

/** What the routes behind Express need. */
export interface ApiDeps {
  readonly consumer: Calls<typeof ConsumerServiceService>
  readonly analytics: Calls<typeof AnalyticsServiceService>
  readonly health: Calls<typeof HealthServiceService>
  readonly logs: Calls<typeof LogServiceService>
  readonly keys: KeyManager
  readonly rejections: Pick<RejectionStore, 'list'>
  readonly tickets: Pick<LiveTickets, 'issue' | 'find'>
  readonly limiter: Pick<RateLimiter, 'take'>
  /** Finds the caller of a request by its key; throws KEY_MISSING, KEY_INVALID or KEYS_UNAVAILABLE. */
  readonly identify: (req: Request) => Promise<Principal>
  /** The same for a key that is not in a header. */
  readonly identifyKey: (key: string) => Promise<Principal>
  readonly logger: Logger
  /** Aborted when the service begins to stop. */
  readonly stopping: AbortSignal
}

/** Tenant and caller as call metadata. The services that are called trust this metadata and nothing in a message. */
export function onBehalfOf(principal: Pick<Principal, 'tenantId' | 'keyId'>): { tenant: string; caller: string } {
  return { tenant: String(principal.tenantId), caller: principal.keyId }
}
