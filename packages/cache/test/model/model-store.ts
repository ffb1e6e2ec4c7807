import type { Names } from '../../src/generations.js'
import type { Glob } from '../../src/glob.js'
import type {
  Fetched,
  FetchOptions,
  LeaseClaim,
  LogPosition,
  Missed,
  RemoteEntry,
  StoreClaim,
  WriteClaim,
} from '../../src/remote-tier.js'

const openMs = 600_000

interface State {
  epoch: string
  sequence: number
  floor: number
  runId: number
  tags: Map<string, number>
  globs: { glob: Glob; number: number }[]
}

interface Kept extends RemoteEntry {
  readonly position: LogPosition
  readonly bornAtMs: number
}

interface Contents {
  state: State | undefined
  log: Map<number, Names> | undefined
  entries: Map<string, Kept>
  leases: Map<string, { token: string; untilMs: number }>
  popular: Map<string, number>
}

/** A model of the scripts in Redis for one namespace, one method a script. The conformance suite runs against both. */
export class ModelStore {
  runId = 1
  contents: Contents = { state: undefined, log: undefined, entries: new Map(), leases: new Map(), popular: new Map() }
  readonly #nowMs: () => number
  readonly #isFenced: boolean
  #epochs = 0

  /** Without the fence a stored value counts as loaded when it is stored, and its lease is not checked. */
  constructor(nowMs: () => number, isFenced = true) {
    this.#nowMs = nowMs
    this.#isFenced = isFenced
  }

  fetch(key: string, { lease, neededMs }: FetchOptions): Fetched | undefined {
    const { state, entries } = this.contents
    if (state === undefined) return undefined
    const entry = this.#current(key, entries.get(key))
    const ageMs = entry === undefined ? 0 : Math.max(0, this.#nowMs() - entry.bornAtMs)
    const isFresh = entry !== undefined && Number.isFinite(neededMs) && entry.ttlMs - ageMs > neededMs
    return {
      position: { epoch: state.epoch, sequence: state.sequence },
      atMs: this.#nowMs(),
      quality: entry === undefined ? 'none' : isFresh ? 'fresh' : 'stale',
      lease: isFresh || lease === undefined ? 'not_requested' : this.#lease(key, lease),
      ...(entry === undefined ? {} : { entry: { ...entry, ageMs } }),
    }
  }

  store(key: string, entry: RemoteEntry, { token, position, grantedAtMs }: StoreClaim): boolean {
    const { state, entries, leases } = this.contents
    if (this.#isFenced) {
      if (this.#heldLease(key) !== token) return false
      leases.delete(key)
    }
    if (state === undefined) return false
    const stamped = this.#isFenced ? position : { epoch: state.epoch, sequence: state.sequence }
    const ageMs = Math.max(entry.ageMs, grantedAtMs === undefined ? 0 : this.#nowMs() - grantedAtMs)
    const kept: Kept = { ...entry, position: stamped, bornAtMs: this.#nowMs() - ageMs }
    if (!this.#isCurrent(key, kept) || entry.ttlMs + entry.staleMs <= ageMs) return false
    entries.set(key, kept)
    return true
  }

  extend(key: string, token: string, leaseMs: number): boolean {
    if (this.#heldLease(key) !== token) return false
    this.contents.leases.set(key, { token, untilMs: this.#nowMs() + leaseMs })
    return true
  }

  release(key: string, token: string, isOpen: boolean): void {
    if (this.#heldLease(key) !== token) return
    if (isOpen) this.contents.leases.set(key, { token: '-', untilMs: this.#nowMs() + openMs })
    else this.contents.leases.delete(key)
  }

  invalidate({ tags = [], keys = [], globs = [], isEverything }: Names, claim?: WriteClaim): LogPosition {
    const state = this.contents.state ?? this.#begin()
    const { entries, leases } = this.contents
    const isClaimed = claim?.position.epoch === state.epoch && claim.position.sequence === state.sequence
    const number = ++state.sequence
    for (const tag of tags) state.tags.set(tag, number)
    state.globs.push(...globs.map((glob) => ({ glob, number })))
    if (isEverything === true) Object.assign(state, { floor: number, tags: new Map(), globs: [] })
    for (const key of keys) {
      entries.delete(key)
      leases.delete(key)
      if (isClaimed) leases.set(key, { token: claim.token, untilMs: this.#nowMs() + claim.leaseMs })
    }
    this.contents.log ??= new Map()
    this.contents.log.set(number, { tags, keys, globs, isEverything: isEverything === true })
    return { epoch: state.epoch, sequence: number }
  }

  sync(since: LogPosition | undefined): Missed {
    const held = this.contents.state
    if (held === undefined || held.runId !== this.runId) {
      const begun = this.#begin()
      return { kind: 'gap', position: { epoch: begun.epoch, sequence: 0 } }
    }
    const position = { epoch: held.epoch, sequence: held.sequence }
    if (since?.epoch !== held.epoch || since.sequence > held.sequence) return { kind: 'gap', position }
    if (since.sequence === held.sequence) return { kind: 'same', position }
    const names: (Names & { sequence: number })[] = []
    for (let number = since.sequence + 1; number <= held.sequence; number++) {
      const entry = this.contents.log?.get(number)
      if (entry === undefined) return { kind: 'gap', position }
      names.push({ ...entry, sequence: number })
    }
    return { kind: 'invalidations', position, names }
  }

  remember(hits: ReadonlyMap<string, number>): void {
    const { popular } = this.contents
    for (const [key, reads] of popular) popular.set(key, reads * 0.9)
    for (const [key, reads] of hits) popular.set(key, (popular.get(key) ?? 0) + reads)
  }

  mostPopular(limit: number): string[] {
    const sorted = [...this.contents.popular].sort(([, a], [, b]) => b - a)
    return sorted.slice(0, limit).map(([key]) => key)
  }

  /** A copy of the state, for a server that restarts from disk or a replica that is promoted later. */
  snapshot(): Contents {
    const { state, log, entries, leases, popular } = this.contents
    return {
      state: state && { ...state, tags: new Map(state.tags), globs: [...state.globs] },
      log: log && new Map(log),
      entries: new Map(entries),
      leases: new Map(leases),
      popular: new Map(popular),
    }
  }

  restart(from: Contents): void {
    this.contents = from
    this.runId++
  }

  #begin(): State {
    const state = {
      epoch: `epoch ${++this.#epochs}`,
      sequence: 0,
      floor: 0,
      runId: this.runId,
      tags: new Map(),
      globs: [],
    }
    this.contents.state = state
    this.contents.log = undefined
    return state
  }

  #current(key: string, entry: Kept | undefined): Kept | undefined {
    if (entry === undefined || this.#nowMs() >= entry.bornAtMs + entry.ttlMs + entry.staleMs) return undefined
    return this.#isCurrent(key, entry) ? entry : undefined
  }

  #isCurrent(key: string, { position, tags }: Kept): boolean {
    const { state } = this.contents
    if (state === undefined || position.epoch !== state.epoch || position.sequence < state.floor) return false
    if (tags.some((tag) => (state.tags.get(tag) ?? 0) > position.sequence)) return false
    return !state.globs.some(({ glob, number }) => number > position.sequence && glob.matches(key))
  }

  #lease(key: string, { token, leaseMs }: LeaseClaim): 'leased' | 'open' | 'busy' {
    const held = this.#heldLease(key)
    if (held !== undefined) return held === '-' ? 'open' : 'busy'
    this.contents.leases.set(key, { token, untilMs: this.#nowMs() + leaseMs })
    return 'leased'
  }

  #heldLease(key: string): string | undefined {
    const lease = this.contents.leases.get(key)
    return lease !== undefined && this.#nowMs() < lease.untilMs ? lease.token : undefined
  }
}
