import type { Express } from 'express'
import type { Config } from '../config.js'
import type { ApiDeps } from './api-deps.js'
import { addClientSettingsApi } from './client-settings-api.js'
import { addDeadLettersApi } from './dead-letters-api.js'
import { addDocsApi } from './docs-api.js'
import { addEventsApi } from './events-api.js'
import { addHealthApi } from './health-api.js'
import { addKeysApi } from './keys-api.js'
import { addLedgerApi } from './ledger-api.js'
import { addLiveApi } from './live-api.js'
import { addQueryApi } from './query-api.js'
import { addReceiptsApi } from './receipts-api.js'
import { addRejectionsApi } from './rejections-api.js'
import { addTypedListsApi } from './typed-lists-api.js'

/** Adds every public route except the ones that accept events. */
export function addApi(app: Express, deps: ApiDeps, config: Config): void {
  addReceiptsApi(app, deps, { waitMsMax: config.WAIT_STORED_MS })
  addEventsApi(app, deps)
  addTypedListsApi(app, deps)
  addQueryApi(app, deps, { isEdgeShared: config.QUERY_EDGE_CACHE })
  addLiveApi(app, deps, { connectionsMax: config.LIVE_CONNECTIONS_MAX })
  addLedgerApi(app, deps)
  addRejectionsApi(app, deps)
  addDeadLettersApi(app, deps)
  addKeysApi(app, deps)
  addHealthApi(app, deps)
  addClientSettingsApi(app, deps, { publicUrl: config.HTTP_PUBLIC_URL })
  addDocsApi(app)
}
