import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { createTestRedis, waitFor } from '@millrace/testing'
import { Gate } from '../gate.js'
import { openInstance } from './two-caches.js'

/** Another process with the compiled cache; `ask` sends it one command and returns its answer. */
function startProcess(url: string, leaseMs: number) {
  const child = fork(fileURLToPath(new URL('cache-process.mjs', import.meta.url)), [url, String(leaseMs)], {
    execArgv: [],
  })
  const ask = async (command: Record<string, unknown>): Promise<unknown> => {
    child.send(command)
    const [answer] = (await once(child, 'message')) as [unknown]
    return answer
  }
  return { child, ask }
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

describe('processes', () => {
  it('do not wait long for a process that was killed during a load', async () => {
    const redis = await createTestRedis()
    const other = startProcess(redis.url, 1_000)
    await other.ask({ do: 'start' })
    expect(await other.ask({ do: 'hang', key: 'k' })).toBe('loading')
    const here = await openInstance({ redis: { url: redis.url }, cache: { leaseMs: 600_000 } })
    const gate = new Gate<string>()
    const read = here.namespace.getOrSet('k', gate.load)
    await waitFor(() => here.namespace.stats().redis.misses > 0)
    await kill(other.child)
    await gate.called
    gate.open('v')
    expect((await read).value).toBe('v')
    await here.close()
    await redis.release()
  })

  it('share values and invalidations', async () => {
    const redis = await createTestRedis()
    const other = startProcess(redis.url, 600_000)
    await other.ask({ do: 'start' })
    const here = await openInstance({ redis: { url: redis.url } })
    expect(await other.ask({ do: 'read', key: 'k', value: 'old', tags: ['t'] })).toBe('old')
    expect((await waitFor(() => here.namespace.get('k'))).value).toBe('old')
    expect(await other.ask({ do: 'invalidate', tags: ['t'] })).toBe('everywhere')
    expect((await here.namespace.getOrSet('k', () => 'new', { isStrict: true })).value).toBe('new')
    await here.namespace.invalidateAll()
    await waitFor(async () => (await other.ask({ do: 'read', key: 'k', value: 'newest', tags: [] })) === 'newest')
    await here.close()
    await kill(other.child)
    await redis.release()
  })
})
