import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'

/** `refused`: revoked, expired or unknown. `limited`: it lacks the scope that it should have. */
type KeyState = 'usable' | 'refused' | 'limited'

interface StackKeys {
  readonly url: string
  readonly writeKey: string
  readonly adminKey: string
}

const CHECK_MS = 5_000

/** Lines for a person who wants to use a running stack: the keys that work, what to do about one that does not, and commands to try. */
export interface KeyLines {
  readonly keys: readonly string[]
  readonly tries: readonly string[]
}

/** Asks the gateway about both keys, so that no line shows a key that it refuses. A key stays revoked when it is given to the next start. */
export async function describeKeys(stack: StackKeys): Promise<KeyLines> {
  const { url, writeKey, adminKey } = stack
  const [write, admin] = await Promise.all([
    check(writeKey, `${url}/v1/batch`, '{"batch":[]}'),
    check(adminKey, `${url}/api/v1/keys`),
  ])
  const event = `{"batch":[{"type":"track","userId":"ada","event":"Hello","messageId":"'$RANDOM-$RANDOM'"}]}`
  return {
    keys: [
      `  write key   ${describe(writeKey, write)}`,
      `  admin key   ${describe(adminKey, admin)}`,
      ...remedies(write, admin),
    ],
    tries: [
      ...(write === 'usable'
        ? [`  curl -u ${writeKey}: ${url}/v1/batch -H 'content-type: application/json' -d '${event}'`]
        : []),
      ...(admin === 'usable' ? [`  curl -H 'authorization: Bearer ${adminKey}' ${url}/api/v1/ledger`] : []),
    ],
  }
}

/** A gateway that cannot answer now says nothing against the key. */
async function check(key: string, url: string, body?: string): Promise<KeyState> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const options = { method: body === undefined ? 'GET' : 'POST', headers, signal: AbortSignal.timeout(CHECK_MS) }
  // Not by fetch, whose first call takes 10 MB of memory for as long as the stack runs.
  const asked = request(url, options)
    .on('error', () => undefined)
    .end(body)
  try {
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    response.on('error', () => undefined).resume()
    if (response.statusCode === 401) return 'refused'
    return response.statusCode === 403 ? 'limited' : 'usable'
  } catch {
    return 'usable'
  }
}

function describe(key: string, state: KeyState): string {
  if (state === 'usable') return key
  return state === 'refused' ? `${key} was revoked or has expired` : `${key} lacks the scope for its use`
}

function remedies(write: KeyState, admin: KeyState): string[] {
  const lines: string[] = []
  if (admin !== 'usable')
    lines.push(
      '  The admin key cannot be used. For another one run "npm run tenants -- admin-key default", or set BOOTSTRAP_ADMIN_KEY to a new key and start again.',
    )
  if (write !== 'usable')
    lines.push(
      '  The write key cannot be used. Create another one by POST /api/v1/keys, or set BOOTSTRAP_WRITE_KEY to a new key and start again.',
    )
  return lines
}
