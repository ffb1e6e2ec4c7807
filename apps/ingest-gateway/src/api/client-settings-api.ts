import { authErrors, type Principal, requireScope } from '@millrace/auth'
import { coreErrors } from '@millrace/contracts'
import type { Request, Response } from 'express'
import type { ApiDeps } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'

/** How long a client may keep the answer, in seconds. A revoked key is refused when it sends events, however long its settings are kept. */
const CACHE_SECONDS = 60
const HOST = /^[\w.-]+(?::\d{1,5})?$|^\[[\da-f:.]+\](?::\d{1,5})?$/i

/** Where clients send their events. */
export interface ClientSettingsConfig {
  /** URL under which clients reach the gateway. Default: the host that the request names, with the protocol of its connection. */
  readonly publicUrl: string | undefined
}

/**
 * What SDKs ask for when they start. Both answers make the SDK send every event here, load no integration, and report nothing about itself.
 * They contain nothing that the client did not send, because write keys are public.
 * - GET /v1/projects/{key}/settings: Segment's SDKs for browsers and mobile devices
 * - GET /sourceConfig: RudderStack's
 */
export function addClientSettingsApi(routes: ApiRoutes, deps: ApiDeps, config: ClientSettingsConfig): void {
  routes.get('/v1/projects/:key/settings', 'everyone', async (req, res) => {
    const key = req.params.key as string
    await checkWriteKey(deps, key)
    send(res, segmentSettings(key, apiAddress(req, config)))
  })
  const identify = async (req: Request): Promise<Principal> => {
    const { writeKey } = req.query
    const isInUrl = req.headers.authorization === undefined && typeof writeKey === 'string'
    const principal = isInUrl ? await deps.identifyKey(writeKey) : await deps.identify(req)
    requireScope(principal, 'write')
    return principal
  }
  routes.get('/sourceConfig', identify, (_req, res, principal) => send(res, rudderSettings(principal.keyId)))
}

/** The path names a key that does not exist, so an unknown key is 404 here. */
async function checkWriteKey(deps: ApiDeps, key: string): Promise<void> {
  try {
    requireScope(await deps.identifyKey(key), 'write')
  } catch (error) {
    if (authErrors.KEY_INVALID.matches(error)) throw coreErrors.NOT_FOUND({ message: 'there is no such write key' })
    throw error
  }
}

function send(res: Response, body: object): void {
  res.setHeader('cache-control', `private, max-age=${CACHE_SECONDS}`)
  res.json(body)
}

interface ApiAddress {
  /** Host, port and path without the protocol, as Segment's SDKs want it. */
  readonly apiHost: string
  readonly protocol: string
}

/** Undefined when the request names no host, or something else: then the SDK uses what it was given. */
function apiAddress(req: Request, { publicUrl }: ClientSettingsConfig): ApiAddress | undefined {
  if (publicUrl !== undefined) {
    const { protocol, host, pathname } = new URL(publicUrl)
    return { apiHost: `${host}${pathname.replace(/\/+$/, '')}/v1`, protocol: protocol.slice(0, -1) }
  }
  // Express takes X-Forwarded-Host and X-Forwarded-Proto into account if the proxy is trusted.
  const host: string | undefined = req.host
  return host !== undefined && HOST.test(host) ? { apiHost: `${host}/v1`, protocol: req.protocol } : undefined
}

function segmentSettings(apiKey: string, address: ApiAddress | undefined): object {
  return {
    integrations: {
      'Segment.io': {
        apiKey,
        ...address,
        type: 'server',
        addBundledMetadata: false,
        unbundledIntegrations: [],
        versionSettings: { version: '4.4.7', componentTypes: ['browser', 'android', 'ios', 'server'] },
      },
    },
    plan: {},
    edgeFunction: {},
    middlewareSettings: {},
    enabledMiddleware: {},
    remotePlugins: [],
    legacyVideoPluginsEnabled: false,
    metrics: { sampleRate: 0 },
  }
}

function rudderSettings(id: string): object {
  const updatedAt = new Date(0).toISOString()
  return {
    source: {
      id,
      name: 'millrace',
      writeKey: '',
      enabled: true,
      config: { statsCollection: { errors: { enabled: false }, metrics: { enabled: false } } },
      destinations: [],
      workspaceId: 'millrace',
      createdAt: updatedAt,
      updatedAt,
    },
    updatedAt,
  }
}
