import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { WatchLogsResponse } from '@millrace/contracts'
import { freePort, waitFor } from '@millrace/testing'
import { EVERY_LINE, openLogService } from './open-log-service.js'
import { startShipper, type TestShipper } from './start-shipper.js'

let shipper: TestShipper
let logs: ReturnType<typeof openLogService>[0]
let close: () => void | Promise<void>

async function send(...messages: readonly string[]): Promise<void> {
  const response = await fetch(`${shipper.origin}/v1/logs/ndjson`, {
    method: 'POST',
    headers: { authorization: `Bearer ${shipper.key}` },
    body: messages.map((message, n) => JSON.stringify({ message, service: `s${n % 5}` })).join('\n'),
  })
  expect(response.status).toBe(200)
}

/** A watcher, and what it has got so far. */
function watch(query: string, { position = '', tenant = '1' } = {}) {
  const stopping = new AbortController()
  const got: WatchLogsResponse[] = []
  const messages: string[] = []
  const updates = logs.watchLogs(
    { conditions: { ...EVERY_LINE, query }, fields: [], position },
    { tenant, caller: 'test', signal: stopping.signal },
  )
  const ended = (async () => {
    for await (const update of updates) {
      got.push(update)
      messages.push(...update.linesJson.map((text) => (JSON.parse(text) as { message: string }).message))
    }
  })().catch((error: unknown) => error)
  return {
    got,
    messages,
    async stop() {
      stopping.abort()
      return await ended
    },
    /** Waits until the first response shows that the watcher has begun. */
    started: () => waitFor(() => got.length > 0, { deadlineMs: 60_000 }),
  }
}

describe('the live tail of log lines', () => {
  beforeAll(async () => {
    const grpcPort = await freePort()
    shipper = await startShipper(() => ({
      GRPC_PORT: String(grpcPort),
      LOG_WATCHERS_MAX: '3',
      LOG_WINDOW_SECONDS: '600',
    }))
    ;[logs, close] = openLogService(grpcPort)
  })
  afterAll(async () => {
    await close?.()
    await shipper?.stop()
  })

  it('shows each matching line that arrives once, masked, to its tenant only', async () => {
    await send('pay before')
    const watcher = watch('pay')
    const stranger = watch('', { tenant: '2' })
    await watcher.started()
    await stranger.started()
    await send('pay one of bob@example.com', 'other', 'pay two')
    await send('pay three')
    await waitFor(() => watcher.messages.length >= 3, { deadlineMs: 60_000 })
    expect(watcher.messages.sort()).toEqual(['pay one of [email]', 'pay three', 'pay two'])
    expect(stranger.messages).toEqual([])
    const [line] = watcher.got.flatMap(({ linesJson }) => linesJson)
    expect(Object.keys(JSON.parse(line ?? '{}') as object)).not.toContain('id')
    await watcher.stop()
    await stranger.stop()
  })

  it('continues after the last position without a gap or a repetition', async () => {
    const first = watch('resume')
    await first.started()
    await send('resume 1', 'resume 2')
    await waitFor(() => first.messages.length >= 2, { deadlineMs: 60_000 })
    await first.stop()
    const position = first.got.at(-1)?.position ?? ''
    await send('resume 3', 'resume 4', 'no')
    const second = watch('resume', { position })
    await waitFor(() => second.messages.length >= 2, { deadlineMs: 60_000 })
    await send('resume 5')
    await waitFor(() => second.messages.length >= 3, { deadlineMs: 60_000 })
    expect(second.messages.sort()).toEqual(['resume 3', 'resume 4', 'resume 5'])
    expect(second.got.some(({ hasGap }) => hasGap)).toBe(false)
    await second.stop()
  })

  it('refuses a position that it did not give, a query that is not valid, and watchers beyond the limit', async () => {
    const first = async (request: { query: string; position: string }) => {
      const asked = { conditions: { ...EVERY_LINE, query: request.query }, fields: [], position: request.position }
      for await (const update of logs.watchLogs(asked, { tenant: '1', caller: 'test' })) return update
      return undefined
    }
    await expect(first({ query: '', position: 'x' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(first({ query: '"', position: '' })).rejects.toMatchObject({ code: 'LOG_QUERY_INVALID' })
    const watchers = [watch('a'), watch('b'), watch('c')]
    for (const watcher of watchers) await watcher.started()
    await expect(first({ query: '', position: '' })).rejects.toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' })
    for (const watcher of watchers) await watcher.stop()
    await waitFor(async () => (await first({ query: '', position: '' })) !== undefined, { deadlineMs: 60_000 })
  })
})
