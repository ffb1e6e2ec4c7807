import { randomUUID } from 'node:crypto'
import type { Invalidation, ReadOptions } from './cache-types.js'
import { keepLoaded } from './keep-loaded.js'
import { type HeldLease, holdLease } from './lease.js'
import type { NamespaceCore } from './namespace-core.js'

/**
 * Keeps a value that a writer knows. The key is invalidated first, so that no loader in flight brings back what was before; the lease that comes with
 * it goes to whoever invalidates last, so of two writers at one time Redis keeps the later.
 */
export async function writeValue<T>(
  core: NamespaceCore<T>,
  key: string,
  value: T,
  options: Pick<ReadOptions<T>, 'tags' | 'ttlMs' | 'staleMs'>,
): Promise<Invalidation> {
  const { generations, shared, clock, leaseMs } = core
  const tags = [...(options.tags ?? [])]
  const begun = { atMs: clock.monotonicMs(), wallMs: clock.wallMs() }
  // What is invalidated after this mark, anywhere, keeps the value out of Redis: the caller knew it before.
  const mark = shared?.sync.mark
  const claim = mark === undefined ? undefined : { token: randomUUID(), leaseMs, mark }
  const names = { keys: [key] }
  generations.bump(names)
  const calledAs = generations.sequence
  const isEverywhere = shared === undefined || (await shared.sync.send(names, claim))
  const isUntouched = generations.isCurrent(key, tags, calledAs)
  generations.bump(names)
  const lease: HeldLease | undefined = isEverywhere && claim !== undefined ? holdLease(core, key, claim) : undefined
  const asOf = isUntouched ? generations.sequence : calledAs
  keepLoaded(core, { key, value, tags, begun: { ...begun, asOf }, asked: options, isSkipped: false }, lease)
  return { reach: isEverywhere ? 'everywhere' : 'process' }
}
