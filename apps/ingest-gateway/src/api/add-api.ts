import type { Express } from 'express'
import type { Config } from '../config.js'
import type { ApiDeps } from './api-deps.js'
import { ApiRoutes } from './api-routes.js'
import { addClientSettingsApi } from './client-settings-api.js'
import { createCompressResponses } from './compression/compress-responses.js'
import { addDeadLettersApi } from './dead-letters-api.js'
import { addDocsApi } from './docs-api.js'
import { addEventsApi } from './events-api.js'
import { addHealthApi } from './health-api.js'
import { addKeysApi } from './keys-api.js'
import { addLedgerApi } from './ledger-api.js'
import { addLiveApi } from './live-api.js'
import { addLiveLogsApi } from './live-logs-api.js'
import { addLiveTicketsApi } from './live-tickets-api.js'
import { addLogTransformsApi } from './log-transforms-api.js'
import { addLogsApi } from './logs-api.js'
import { addQueryApi } from './query-api.js'
import { addReceiptsApi } from './receipts-api.js'
import { addRejectionsApi } from './rejections-api.js'
import { addTypedListsApi } from './typed-lists-api.js'

/** Adds every public route except the ones that accept events. */
export function addApi(app: Express, deps: ApiDeps, config: Config): void {
  app.use(createCompressResponses())
  const routes = new ApiRoutes(app, deps)
  addReceiptsApi(routes, deps, { waitMsMax: config.WAIT_STORED_MS })
  addEventsApi(routes, deps)
  addTypedListsApi(routes, deps)
  addQueryApi(routes, deps, { isEdgeShared: config.QUERY_EDGE_CACHE })
  const connections = { open: 0, max: config.LIVE_CONNECTIONS_MAX }
  addLiveApi(routes, deps, connections)
  addLiveLogsApi(routes, deps, connections)
  addLiveTicketsApi(routes, deps)
  addLedgerApi(routes, deps)
  addLogsApi(routes, deps)
  addLogTransformsApi(routes, deps)
  addRejectionsApi(routes, deps)
  addDeadLettersApi(routes, deps)
  addKeysApi(routes, deps)
  addHealthApi(routes, deps)
  addClientSettingsApi(routes, deps, { publicUrl: config.HTTP_PUBLIC_URL })
  addDocsApi(routes)
}
