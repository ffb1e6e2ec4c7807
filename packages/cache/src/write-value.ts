import { randomUUID } from 'node:crypto'
import type { Invalidation, ReadOptions } from './cache-types.js'
import { keepLoaded } from './keep-loaded.js'
import { holdLease } from './lease.js'
import type { NamespaceCore } from './namespace-core.js'

/**
 * Keeps a value that a writer has just written. The key is invalidated first, so that a load under way cannot keep the old value. The new value is
 * kept only if nothing in the namespace was invalidated in between; otherwise another writer may have written later, and the next read loads.
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
  const known = shared?.sync.position
  const claim =
    known === undefined || !core.settings.isShared ? undefined : { token: randomUUID(), leaseMs, position: known }
  const names = { keys: [key] }
  generations.bump(names)
  const calledAs = generations.sequence
  const position = await shared?.sync.send(names, claim)
  const isUntouched = generations.isCurrent(key, tags, calledAs)
  generations.bump(names)
  const asOf = isUntouched ? generations.sequence : calledAs
  const isClaimed =
    position !== undefined && position.epoch === known?.epoch && position.sequence === known.sequence + 1
  if (position === undefined || isClaimed) {
    const lease = isClaimed && claim !== undefined ? holdLease(core, key, { token: claim.token, position }) : undefined
    keepLoaded(core, { key, value, tags, begun: { ...begun, asOf }, requested: options, isSkipped: false }, lease)
  }
  return { reach: shared === undefined || position !== undefined ? 'everywhere' : 'process' }
}
