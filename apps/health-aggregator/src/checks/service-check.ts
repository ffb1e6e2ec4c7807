import { round } from './database-check.js'
import type { HealthCheck } from './health-check.js'

export interface ServiceAddress {
  readonly name: string
  /** URL of its admin server, without a path. */
  readonly url: string
}

/** Parses `name=url` pairs. @throws TypeError that names the pair without this form */
export function parseServiceAddresses(pairs: readonly string[]): ServiceAddress[] {
  return pairs.map((pair) => {
    const at = pair.indexOf('=')
    const [name, url] = [pair.slice(0, at), pair.slice(at + 1)]
    if (at < 1 || !URL.canParse(url)) throw new TypeError(`ADMIN_URLS: "${pair}" is not of the form name=url`)
    return { name, url: url.replace(/\/$/, '') }
  })
}

/** Calls `/ready` of a service: degraded when it answers that it is not ready, unhealthy when it does not answer. */
export function createServiceCheck({ name, url }: ServiceAddress, timeoutMs: number): HealthCheck {
  return {
    name,
    async run() {
      const startedAt = performance.now()
      let response: Response
      try {
        response = await fetch(`${url}/ready`, {
          signal: AbortSignal.timeout(timeoutMs),
          headers: { accept: 'application/json' },
        })
      } catch {
        return { status: 'unhealthy', error: 'its admin server does not answer' }
      }
      const body = await response.text()
      const latency = round(performance.now() - startedAt)
      return response.ok ? { status: 'healthy', latency } : { status: 'degraded', latency, ready: parseJson(body) }
    },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
