import { CURSOR_LENGTH_MAX, type DeadLetter } from '@millrace/contracts'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { type Params, readCount, readText } from './read-params.js'

/** GET /api/v1/dead-letters; POST …/{id}/replay; DELETE …/{id} discards. Listing needs read, the others admin. */
export function addDeadLettersApi(routes: ApiRoutes, deps: ApiDeps): void {
  routes.get('/api/v1/dead-letters', 'read', async (req, res, principal) => {
    const params = req.query as Params
    const limit = readCount(params, 'limit', { min: 1, max: 1000 })
    const answer = await deps.consumer.listDeadLetters(
      { limit, cursor: readText(params, 'cursor', CURSOR_LENGTH_MAX) },
      onBehalfOf(principal),
    )
    res.json({ data: answer.deadLetters.map(toJson), next_cursor: answer.nextCursor === '' ? null : answer.nextCursor })
  })
  routes.post('/api/v1/dead-letters/:id/replay', 'admin', async (req, res, principal) => {
    const { deadLetter } = await deps.consumer.replayDeadLetter(
      { id: readText(req.params, 'id') },
      onBehalfOf(principal),
    )
    res.json(deadLetter === undefined ? {} : toJson(deadLetter))
  })
  routes.delete('/api/v1/dead-letters/:id', 'admin', async (req, res, principal) => {
    const { deadLetter } = await deps.consumer.discardDeadLetter(
      { id: readText(req.params, 'id') },
      onBehalfOf(principal),
    )
    res.json(deadLetter === undefined ? {} : toJson(deadLetter))
  })
}

function toJson(letter: DeadLetter): object {
  return {
    id: letter.id,
    stream: letter.stream,
    partition: letter.partition,
    position: letter.position,
    message_id: letter.messageId,
    code: letter.code,
    reason: letter.reason,
    state: letter.state,
    created_at: letter.createdAt ?? null,
    record: letter.recordJson === '' ? null : (JSON.parse(letter.recordJson) as unknown),
  }
}
