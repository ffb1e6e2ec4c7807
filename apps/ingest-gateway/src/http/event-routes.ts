import type { IncomingMessage, ServerResponse } from 'node:http'
import { EVENT_TYPES } from '@millrace/contracts'
import { errors } from '../errors.js'
import type { EventRoute } from './event-route.js'
import { type ExchangeDeps, startExchange } from './exchange.js'

export interface EventRoutesConfig {
  /** Largest body of /v1/batch and its kin after decompression, in bytes. */
  segmentBytesMax: number
  /** Largest body of /v1/events after decompression, in bytes. */
  nativeBytesMax: number
}

/**
 * The routes of the hot path, as a plain handler in front of Express: returns false when the request is none of theirs.
 * Nothing here is made per request but one Exchange.
 */
export function createEventRoutes(
  config: EventRoutesConfig,
  deps: ExchangeDeps,
): (req: IncomingMessage, res: ServerResponse) => boolean {
  const segment = { bodyBytesMax: config.segmentBytesMax, isNative: false }
  const routes = new Map<string, EventRoute>()
  const add = (route: EventRoute) => {
    routes.set(route.path, route)
    routes.set(`${route.path}/`, route)
  }
  add({ path: '/v1/batch', wire: { kind: 'batch' }, ...segment })
  for (const type of EVENT_TYPES) add({ path: `/v1/${type}`, wire: { kind: 'single', type }, ...segment })
  add({
    path: '/v1/events',
    wire: { kind: 'any', isLines: false },
    bodyBytesMax: config.nativeBytesMax,
    isNative: true,
  })

  return function handleEvents(req, res) {
    const url = req.url as string
    const query = url.indexOf('?')
    const route = routes.get(query < 0 ? url : url.slice(0, query))
    if (route === undefined) return false
    if (req.method === 'POST') startExchange(req, res, route, deps)
    else if (req.method === 'OPTIONS') deps.responses.preflight(req, res)
    else deps.responses.problem(req, res, errors.METHOD_NOT_ALLOWED(), { allow: 'POST, OPTIONS' })
    return true
  }
}
