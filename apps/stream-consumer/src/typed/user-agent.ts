import Bowser from 'bowser'

/**
 * What a user agent says; null for what it does not say, never an empty text. The device type is desktop, mobile,
 * tablet, tv, bot, or another word of bowser.
 */
export interface Client {
  readonly deviceType: string | null
  readonly browser: string | null
  readonly browserVersion: string | null
  readonly os: string | null
  readonly osVersion: string | null
}

const NOBODY: Client = { deviceType: null, browser: null, browserVersion: null, os: null, osVersion: null }
const USER_AGENT_LENGTH_MAX = 1024

/** Parses user agents. Remembers the last `entriesMax` distinct ones, since a few make up nearly all traffic. */
export function createReadUserAgent(entriesMax = 2_000): (userAgent: string | null) => Client {
  const known = new Map<string, Client>()
  return (userAgent) => {
    if (userAgent === null || userAgent === '') return NOBODY
    const text = userAgent.slice(0, USER_AGENT_LENGTH_MAX)
    const hit = known.get(text)
    if (hit !== undefined) {
      // Moved to the end, so that the first key is the least recently used one.
      known.delete(text)
      known.set(text, hit)
      return hit
    }
    const client = parse(text)
    if (known.size >= entriesMax) known.delete(known.keys().next().value as string)
    known.set(text, client)
    return client
  }
}

function parse(userAgent: string): Client {
  const { browser, os, platform } = Bowser.parse(userAgent)
  return {
    deviceType: nameOf(platform.type),
    browser: nameOf(browser.name),
    browserVersion: nameOf(browser.version),
    os: nameOf(os.name),
    osVersion: nameOf(os.versionName) ?? nameOf(os.version),
  }
}

/** bowser gives '' for a browser that it does not know. Readers show null as "unknown". */
function nameOf(text: string | undefined): string | null {
  const name = text?.trim()
  return name === undefined || name === '' || name.toLowerCase() === 'unknown' ? null : name
}
