import type { IncomingHttpHeaders } from 'node:http'
import type { ClientContext } from '../config.js'
import { readAddress, truncateAddress } from '../events/truncate-address.js'

/** What a request says about the device that sent it. */
export interface RequestClient {
  readonly ip: string | undefined
  readonly userAgent: string | undefined
}

export interface RequestClientConfig {
  readonly clientContext: ClientContext
  /** Whether X-Forwarded-For names the client. */
  readonly trustsProxy: boolean
  /** Whether addresses are kept without their last part. */
  readonly truncatesIp: boolean
}

/** The parts of a request that are read. */
interface ClientRequest {
  readonly headers: IncomingHttpHeaders
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/** Real user agents are shorter. Each event of a request gets a copy. */
const USER_AGENT_LENGTH_MAX = 512

/**
 * Reads the address and the user agent of a request whose events may lack them; undefined for requests that say nothing about the device of
 * the user, such as those of servers. A request is a browser's if it has an Origin or a Sec-Fetch-Site header: pages cannot leave them out, and
 * no other client sends them by itself. `isImage` requests are loaded by browsers and mail programs.
 */
export function createReadRequestClient(
  config: RequestClientConfig,
): (request: ClientRequest, isImage: boolean) => RequestClient | undefined {
  const { clientContext, trustsProxy, truncatesIp } = config
  return function readRequestClient({ headers, socket }, isImage) {
    if (clientContext === 'off') return undefined
    const isBrowser = isImage || headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
    if (clientContext === 'browsers' && !isBrowser) return undefined
    const forwarded = trustsProxy ? readForwarded(headers['x-forwarded-for']) : undefined
    const ip = forwarded ?? readAddress(socket.remoteAddress ?? '')
    return {
      ip: ip === undefined || !truncatesIp ? ip : truncateAddress(ip),
      userAgent: headers['user-agent']?.slice(0, USER_AGENT_LENGTH_MAX) || undefined,
    }
  }
}

/** The first address of X-Forwarded-For, which is the client's, as Express reads it. Some proxies add the port. */
function readForwarded(header: string | string[] | undefined): string | undefined {
  const first =
    String(header ?? '')
      .split(',', 1)[0]
      ?.trim() ?? ''
  const withPort = /^\[(.+)\](?::\d+)?$|^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(first)
  return readAddress(withPort?.[1] ?? withPort?.[2] ?? first)
}
