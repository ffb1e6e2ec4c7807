import { hasScope, type Principal, requireScope } from '@millrace/auth'
import { decodeReceipt } from '@millrace/contracts'
import type { Request } from 'express'
import { errors } from '../errors.js'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { type Params, readCount } from './read-params.js'

/** GET /v1/receipts/{receipt}: where the records of one accepted request are now. `wait_ms` waits until they are settled. */
export function addReceiptsApi(routes: ApiRoutes, deps: ApiDeps, { waitMsMax }: { waitMsMax: number }): void {
  const identify = async (req: Request): Promise<Principal> => {
    const principal = await deps.identify(req)
    // A write key may read receipts too, because they contain only counts.
    if (!hasScope(principal, 'write')) requireScope(principal, 'read')
    return principal
  }
  routes.get('/v1/receipts/:receipt', identify, async (req, res, principal) => {
    const receipt = req.params.receipt as string
    const decoded = decodeReceipt(receipt)
    if (decoded.tenantId !== principal.tenantId) throw errors.RECEIPT_FOREIGN()
    const waitMs = readCount(req.query as Params, 'wait_ms', { min: 0, max: waitMsMax })
    const answer = await deps.consumer.getReceipt(
      { receipt, waitMs },
      { ...onBehalfOf(principal), deadlineMs: waitMs + 5000 },
    )
    res.json({
      state: answer.state,
      accepted: Number(answer.accepted),
      stored: Number(answer.stored),
      duplicate: Number(answer.duplicate),
      dead_lettered: Number(answer.deadLettered),
      in_flight: Number(answer.inFlight),
      frames: answer.frames.map((frame) => ({ ...frame, sequence: Number(frame.sequence) })),
    })
  })
}
