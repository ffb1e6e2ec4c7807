import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import { type Stack, waitFor } from '@millrace/local-stack'
import { startTestStack } from '../src/spawn-service.js'

/** Default of HTTP_HEADER_BYTES_MAX. */
const HEADER_BYTES_MAX = 16_384
/** More than what fetch adds by itself. */
const OTHER_HEADERS_BYTES = 700
const USERS = ['1', '2', '3'].map((end) => `${'u"\\é日'.repeat(25)}${end}`)
/** The longest name of an event that is accepted, and groups that together nearly fill the largest event that is accepted. */
const EVENT = 'E'.repeat(255)
const long = (text: string, end: string) => `${text.repeat(Math.floor(9_000 / Buffer.byteLength(text)))}${end}`
const groups = ['properties.a', 'properties.b', 'properties.c']

function createEvents(): object[] {
  return USERS.flatMap((userId, user) =>
    [0, 1].map((i) => ({
      type: 'track',
      event: EVENT,
      userId,
      properties: {
        a: long('é', `${user}`),
        b: long('日', `${i}`),
        c: long('x', `${user}${i}`),
        n: user,
      },
    })),
  ).concat(
    USERS.map((userId, user) => ({
      type: 'track',
      event: '$session_start',
      userId,
      properties: { session_id: long('s', `${user}`).slice(-250), a: '', b: '', c: '', n: 0 },
    })) as never,
  )
}

let stack: Stack

async function ask(url: string, init: RequestInit = {}) {
  const padding = Math.max(0, HEADER_BYTES_MAX - OTHER_HEADERS_BYTES - url.length)
  const response = await fetch(`${stack.url}${url}`, {
    ...init,
    headers: {
      authorization: `Bearer ${stack.adminKey}`,
      'content-type': 'application/json',
      ...(init.method === undefined && { 'x-padding': 'y'.repeat(padding) }),
    },
  })
  return { status: response.status, body: (await response.json()) as { data: unknown[]; next_cursor: string | null } }
}

describe('the next page of a list whose rows have the longest names that are accepted', () => {
  beforeAll(async () => {
    stack = await startTestStack()
    const events = createEvents()
    for (const event of events) {
      const { body } = await ask('/v1/events', { method: 'POST', body: JSON.stringify(event) })
      expect(body).toMatchObject({ rejected: [], accepted: 1 })
    }
    const isStored = async () => (await ask('/api/v1/events')).body.data.length === events.length
    await waitFor(isStored, { deadlineMs: 60_000, what: 'the events to be stored' })
  })
  afterAll(() => stack?.stop())

  const byGroups = `event=${EVENT}&group_by=${groups.join(',')}`
  const user = encodeURIComponent(USERS[0] as string)
  it.each<[name: string, query: string, lengthMin: number, pathname: string]>([
    ...['breakdown', 'uniques', 'timeseries', 'retention', 'sessions', 'stickiness'].map(
      (kind): [string, string, number, string] => [kind, byGroups, 3000, `/api/v1/query/${kind}`],
    ),
    ['percentiles', `${byGroups}&property=properties.n`, 3000, '/api/v1/query/percentiles'],
    ['top', byGroups, 20, '/api/v1/query/top'],
    ['events', '', 20, '/api/v1/events'],
    ['the events of a user', '', 20, `/api/v1/users/${user}/timeline`],
    ['sessions of users', '', 20, '/api/v1/sessions'],
  ])(
    'is requested with the cursor of the page before, in a URL and in a body: %s',
    async (_name, query, lengthMin, pathname) => {
      const path = `${pathname}?${query}`
      const first = await ask(`${path}&limit=1`)
      expect([first.status, first.body.data.length]).toEqual([200, 1])
      const cursor = String(first.body.next_cursor)
      expect(cursor.length).toBeGreaterThan(lengthMin)
      expect(cursor.length).toBeLessThanOrEqual(CURSOR_LENGTH_MAX)
      // With the same other headers, which are as large as allowed, besides the cursor.
      const second = await ask(`${path}&limit=1&cursor=${cursor}`)
      expect([second.status, second.body.data.length]).toEqual([200, 1])
      expect(second.body.data).not.toEqual(first.body.data)
      if (!path.startsWith('/api/v1/query/')) return
      const fields = Object.fromEntries(new URL(path, stack.url).searchParams)
      const body = { ...fields, group_by: fields.group_by?.split(','), limit: 1, cursor }
      const posted = await ask(pathname, { method: 'POST', body: JSON.stringify(body) })
      expect(posted.body.data).toEqual(second.body.data)
    },
  )
})
