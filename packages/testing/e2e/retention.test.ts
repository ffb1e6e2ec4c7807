import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { removeTemporary, type Stack, temporaryDirectory, waitFor } from '@millrace/local-stack'
import { readLedger } from '../src/ledger.js'
import { startTestStack } from '../src/spawn-service.js'

/** Deadline for what a whole stack does in the background, in ms. */
const STACK_MS = 180_000
const DAY = 86_400_000

describe('how long events are kept, in a whole stack', () => {
  let dataDir: string
  let stack: Stack | undefined
  // A gateway that was killed counts for a day, so the tests do not share their data.
  beforeEach(() => {
    dataDir = temporaryDirectory('millrace-retention-')
  })
  afterEach(async () => {
    await stack?.stop()
    stack = undefined
    removeTemporary(dataDir)
  })

  const start = async (env: Record<string, string>, serviceEnv: Record<string, Record<string, string>> = {}) => {
    stack = await startTestStack({ dataDir, env, serviceEnv })
    return stack
  }

  async function send({ url, writeKey }: Stack, daysOld: number): Promise<unknown> {
    const timestamp = new Date(Date.now() - daysOld * DAY).toISOString()
    const response = await fetch(`${url}/v1/events?wait=stored`, {
      method: 'POST',
      headers: { authorization: `Bearer ${writeKey}`, 'content-type': 'application/json' },
      body: JSON.stringify([{ type: 'track', event: 'Old', userId: 'u', timestamp }]),
      signal: AbortSignal.timeout(STACK_MS),
    })
    return await response.json()
  }

  const ledgerOf = ({ url, adminKey }: Stack) => readLedger({ gatewayUrl: url, readKey: adminKey })

  test('settings that would delete accepted events at once are refused in one sentence when two services have them and start at the same time', async () => {
    const apart = start({}, { 'stream-consumer': { EVENTS_RETENTION_DAYS: '30' } })
    await expect(apart).rejects.toThrow(
      /EVENTS_MAX_AGE_DAYS of ingest-gateway \(.*\) is 400, but EVENTS_RETENTION_DAYS of stream-consumer \(.*\) is 30/,
    )
  })

  test('an event that a lowered retention deletes is counted as expired, and one of that age is rejected from then on', async () => {
    const before = await start({ EVENTS_RETENTION_DAYS: '400' })
    expect(await send(before, 100)).toMatchObject({ accepted: 1, outcome: { stored: 1 } })
    expect(await send(before, 1)).toMatchObject({ accepted: 1, outcome: { stored: 1 } })
    await before.stop()
    const after = await start({ EVENTS_RETENTION_DAYS: '30' })
    const ledger = await waitFor(
      async () => {
        const entry = await ledgerOf(after)
        return entry.expired > 0 && entry
      },
      { deadlineMs: STACK_MS, what: 'an expired event' },
    )
    expect(ledger).toMatchObject({ expired: 1, lost: 0, balanced: true })
    expect(await send(after, 100)).toMatchObject({ rejected: [{ reason: expect.any(String) }] })
    const readSettings = async () => {
      const health = await fetch(`${after.url}/api/health/detailed`, {
        headers: { authorization: `Bearer ${after.adminKey}` },
      })
      const { services } = (await health.json()) as { services: { settings: { contradictions?: string[] } } }
      // Absent while the check itself does not end in time, on a busy machine.
      return services.settings.contradictions !== undefined && services.settings
    }
    const settings = await waitFor(readSettings, { deadlineMs: STACK_MS, what: 'the settings in the health report' })
    expect(settings).toMatchObject({ status: 'healthy', contradictions: [] })
  })
})
