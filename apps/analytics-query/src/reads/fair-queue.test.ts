import { describe, expect, it } from '@jest/globals'
import { coreErrors } from '@millrace/contracts'
import { errors } from '../errors.js'
import { type DropReason, FairQueue, type FairQueueConfig, type QueueOptions } from './fair-queue.js'

/** A queue whose queries end when the test says so, on a clock of its own. */
function open(config: Partial<FairQueueConfig> = {}) {
  const clock = { ms: 1_000_000 }
  const started: string[] = []
  const waits: number[] = []
  const drops: DropReason[] = []
  const finish = new Map<string, () => void>()
  const queue = new FairQueue(
    { slots: 4, slotsOf: () => 3, waitingPerTenant: 200, waitingMax: 1000, ...config },
    { now: () => clock.ms, onStart: (waitedMs) => waits.push(waitedMs), onDrop: (reason) => drops.push(reason) },
  )
  const submit = (tenantId: number, name: string, options: QueueOptions = {}) => {
    const running = () => {
      started.push(name)
      return new Promise<string>((resolve) => finish.set(name, () => resolve(name)))
    }
    const result = queue.run(tenantId, running, options)
    result.catch(() => undefined)
    return result
  }
  /** Ends a query and lets all that follows from it happen. */
  const end = async (name: string) => {
    finish.get(name)?.()
    await settle()
  }
  return { queue, clock, started, waits, drops, submit, end }
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('the fair queue', () => {
  it('limits the queries of one tenant and of all tenants that run at once', async () => {
    const { queue, started, submit } = open()
    for (const name of ['a1', 'a2', 'a3', 'a4']) void submit(1, name)
    for (const name of ['b1', 'b2']) void submit(2, name)
    await settle()
    expect(started).toEqual(['a1', 'a2', 'a3', 'b1'])
    expect([queue.running, queue.waiting]).toEqual([4, 2])
  })

  it('gives the single query of a tenant the next free slot, before 200 waiting queries of another tenant', async () => {
    const { started, submit, end } = open({ slots: 3 })
    for (let index = 0; index < 200; index++) void submit(1, `noisy-${index}`)
    void submit(2, 'quiet')
    await settle()
    expect(started).toHaveLength(3)
    await end('noisy-1')
    expect(started.slice(3)).toEqual(['quiet'])
  })

  it('starts the query of a tenant at once while another tenant uses up only its own slots', async () => {
    const { started, submit } = open()
    for (let index = 0; index < 200; index++) void submit(1, `noisy-${index}`)
    void submit(2, 'quiet')
    await settle()
    expect(started).toEqual(['noisy-0', 'noisy-1', 'noisy-2', 'quiet'])
  })

  it('serves tenants in turn, and the queries of each tenant in order of arrival', async () => {
    const { started, submit, end } = open({ slots: 1 })
    void submit(9, 'first')
    for (const name of ['a1', 'a2', 'a3']) void submit(1, name)
    for (const name of ['b1', 'b2']) void submit(2, name)
    void submit(3, 'c1')
    for (const name of ['first', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3']) await end(name)
    expect(started).toEqual(['first', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  })

  it('frees the slot of a query that failed', async () => {
    const { queue, started, submit } = open({ slots: 1 })
    const failing = queue.run(1, () => Promise.reject(new Error('broken')))
    void submit(1, 'next')
    await expect(failing).rejects.toThrow('broken')
    await settle()
    expect(started).toEqual(['next'])
  })

  it('removes a query whose call was cancelled, and never starts it', async () => {
    const { queue, started, drops, submit, end } = open({ slots: 1 })
    const controller = new AbortController()
    void submit(1, 'running')
    const cancelled = submit(1, 'cancelled', { signal: controller.signal })
    void submit(1, 'after')
    controller.abort(coreErrors.CALL_CANCELLED())
    await expect(cancelled).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
    expect(queue.waiting).toBe(1)
    await end('running')
    expect(started).toEqual(['running', 'after'])
    expect(drops).toEqual(['cancelled'])
    await expect(submit(1, 'too late', { signal: controller.signal })).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
  })

  it('drops a query whose deadline has passed, and starts the next one instead', async () => {
    const { clock, started, drops, waits, submit, end } = open({ slots: 1 })
    void submit(1, 'running')
    const late = submit(1, 'late', { deadlineMs: clock.ms + 50 })
    void submit(1, 'in time', { deadlineMs: clock.ms + 500 })
    clock.ms += 50
    await end('running')
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(started).toEqual(['running', 'in time'])
    expect(drops).toEqual(['late'])
    expect(waits).toEqual([0, 50])
  })

  it('rejects a query when the queue of its tenant is full, with a Retry-After from the average duration of queries', async () => {
    const { clock, drops, submit, end } = open({ slots: 1, slotsOf: () => 1, waitingPerTenant: 20 })
    void submit(1, 'first')
    for (let index = 0; index < 20; index++) void submit(1, `w${index}`)
    // 20 that wait for one slot, at 100 ms each until the first ones have shown otherwise.
    await expect(submit(1, 'refused')).rejects.toMatchObject({
      code: errors.TOO_MANY_QUERIES.code,
      kind: 'exhausted',
      retryAfterSeconds: 2,
    })
    clock.ms += 10_000
    await end('first')
    void submit(1, 'w20')
    // The first one took 10 s, which is a tenth of the mean of 1.09 s.
    await expect(submit(1, 'refused')).rejects.toMatchObject({ retryAfterSeconds: 22 })
    expect(drops).toEqual(['tenant_full', 'tenant_full'])
  })

  it('rejects queries of every tenant when the queue of all tenants is full', async () => {
    const { submit } = open({ slots: 1, waitingMax: 2 })
    void submit(1, 'running')
    void submit(2, 'w1')
    void submit(3, 'w2')
    await expect(submit(4, 'refused')).rejects.toMatchObject({ code: 'QUERY_QUEUE_FULL', kind: 'unavailable' })
  })

  it('keeps no state of a tenant without queries', async () => {
    const { queue, submit, end } = open({ slots: 1 })
    for (let tenant = 1; tenant <= 50; tenant++) void submit(tenant, `q${tenant}`)
    for (let tenant = 1; tenant <= 50; tenant++) await end(`q${tenant}`)
    expect([queue.running, queue.waiting, queue.tenants]).toEqual([0, 0, 0])
  })

  it.each<[string, Partial<FairQueueConfig>]>([
    ['the queue of all tenants is full', { waitingMax: 0 }],
    ['the queue of the tenant is full', { slotsOf: () => 0, waitingPerTenant: 0 }],
  ])('keeps no state of a tenant whose query is rejected because %s', async (_title, config) => {
    const { queue, submit, end } = open({ slots: 1, ...config })
    const running = submit(1, 'running')
    for (let tenant = 2; tenant <= 100; tenant++) await expect(submit(tenant, 'refused')).rejects.toBeDefined()
    expect(queue.tenants).toBe(queue.running)
    await end('running')
    await running.catch(() => undefined)
    expect(queue.tenants).toBe(0)
  })
})
