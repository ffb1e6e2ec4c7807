import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from '@jest/globals'
import { createProbe, type ProbeEvent, type ProbeTarget } from './probe.js'
import { ProbeState } from './probe-state.js'

const never = new AbortController().signal
const target = (more: Partial<ProbeTarget> = {}): ProbeTarget => ({
  post: async () => 'receipt',
  readReceipt: async () => ({ isSettled: true, stored: 1 }),
  isVisible: async () => true,
  ...more,
})
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const collectGarbage = () => {
  collect()
  return false
}
const hang = (signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )

describe('a synthetic event', () => {
  it('is measured at each step and searched for until a query finds it', async () => {
    let receipts = 0
    let looks = 0
    const result = await createProbe(
      { timeoutMs: 60_000 },
      target({
        readReceipt: async () => ({ isSettled: ++receipts === 3, stored: receipts === 3 ? 1 : 0 }),
        isVisible: async () => ++looks === 2,
      }),
    )(never)
    expect(result.failure).toBeUndefined()
    const { accepted = -1, stored = -1, visible = -1 } = result.hopsMs
    expect(accepted).toBeGreaterThanOrEqual(0)
    expect(stored).toBeGreaterThanOrEqual(accepted)
    expect(visible).toBeGreaterThanOrEqual(stored)
    expect([receipts, looks]).toEqual([3, 2])
  })

  it.each<[string, Partial<ProbeTarget>, object]>([
    [
      'the gateway refuses it',
      { post: async () => Promise.reject(new Error('refused')) },
      { hop: 'accepted', reason: 'refused' },
    ],
    ['the gateway hangs', { post: (_event, signal) => hang(signal) }, { hop: 'accepted', reason: 'it took too long' }],
    [
      'it is never stored',
      { readReceipt: async () => ({ isSettled: false, stored: 0 }) },
      { hop: 'stored', reason: 'it took too long' },
    ],
    [
      'its receipt is settled but it is not stored',
      { readReceipt: async () => ({ isSettled: true, stored: 0 }) },
      { hop: 'stored', reason: expect.stringContaining('PROBE_FAILED') },
    ],
    ['no query finds it', { isVisible: async () => false }, { hop: 'visible', reason: 'it took too long' }],
    [
      'no query finds it, also when garbage is collected meanwhile',
      { isVisible: async () => collectGarbage() },
      { hop: 'visible', reason: 'it took too long' },
    ],
  ])('names the hop that failed when %s', async (_title, broken, failure) => {
    expect((await createProbe({ timeoutMs: 1000 }, target(broken))(never)).failure).toEqual(failure)
  })

  it('has a different user and a new message id each time', async () => {
    const events: ProbeEvent[] = []
    const probe = createProbe({ timeoutMs: 60_000 }, target({ post: async (event) => String(events.push(event)) }))
    for (let i = 0; i < 3; i++) await probe(never)
    expect(new Set(events.map(({ userId }) => userId)).size).toBe(3)
    expect(new Set(events.map(({ messageId }) => messageId)).size).toBe(3)
  })
})

describe('the state of the synthetic events', () => {
  let nowMs = 0
  const state = () => new ProbeState({ intervalMs: 1000, timeoutMs: 500 }, () => nowMs)
  const success = (startedAtMs: number) => ({
    startedAtMs,
    hopsMs: { accepted: 1, stored: 2, visible: 3 },
    failure: undefined,
  })

  it('is healthy while they succeed, and degraded when one fails or none arrives any more', () => {
    const probes = state()
    expect(probes.describe()).toMatchObject({ status: 'healthy', last_success: null })
    probes.note(success(0))
    expect(probes.describe()).toMatchObject({ status: 'healthy', accepted_ms: 1, stored_ms: 2, visible_ms: 3 })
    probes.note({ startedAtMs: 1000, hopsMs: { accepted: 1 }, failure: { hop: 'stored', reason: 'it took too long' } })
    expect(probes.describe()).toMatchObject({ status: 'degraded', failed_hop: 'stored', stored_ms: null })
    probes.note(success(2000))
    nowMs = 4501
    expect(probes.describe()).toMatchObject({ status: 'degraded' })
  })

  it('is healthy when they are turned off', () => {
    expect(new ProbeState({ intervalMs: 0, timeoutMs: 1 }, () => 0).describe()).toEqual({
      status: 'healthy',
      enabled: false,
    })
  })
})
