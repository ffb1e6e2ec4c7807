import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HelmetOptions } from 'helmet'

/**
 * The subset of helmet's headers that matters for responses that carry data and are never shown as a page. The policy forbids a browser to
 * load or frame anything from such a response. A route that serves a page sets its own Content-Security-Policy.
 */
const dataResponses: HelmetOptions = {
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  crossOriginEmbedderPolicy: false,
  crossOriginOpenerPolicy: false,
  crossOriginResourcePolicy: false,
  originAgentCluster: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
}

/**
 * Names and values of the security headers of every public response, one after the other. helmet decides the values; it runs once here, so
 * that handlers in front of Express can send the same headers without calling it for each request.
 */
export async function createSecurityHeaders(): Promise<readonly string[]> {
  const { default: helmet } = await import('helmet')
  const headers: string[] = []
  const recorder = {
    setHeader: (name: string, value: string) => headers.push(name, value),
    removeHeader: () => undefined,
  }
  await new Promise<void>((resolve, reject) => {
    helmet(dataResponses)({} as IncomingMessage, recorder as unknown as ServerResponse, (error?: unknown) =>
      error === undefined ? resolve() : reject(error as Error),
    )
  })
  return headers
}
