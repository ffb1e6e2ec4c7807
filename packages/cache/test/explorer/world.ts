import { silentLogger } from '@millrace/logger'
import { assembleCache } from '../../src/assemble-cache.js'
import type { Cache, Hit, Invalidation, LoadContext, Namespace, NamespaceOptions } from '../../src/cache-types.js'
import type { Generations } from '../../src/generations.js'
import { ModelStore } from '../model/model-store.js'
import { ModelLink } from './model-link.js'
import { type Choose, Steps } from './steps.js'

export const lagMsMax = 2_000

/** The source: the versions of two facts. `k1` contains the first, `k2` both; that `k2` depends on the second is known only after the load. */
export type Fact = 'a' | 'b'
export type Versions = Readonly<Record<Fact, number>>
export type Key = 'k1' | 'k2'
const factsOf: Readonly<Record<Key, readonly Fact[]>> = { k1: ['a'], k2: ['a', 'b'] }

export type WriteKind = 'tag' | 'key' | 'pattern' | 'everything' | 'set'
export type Action =
  | { readonly kind: 'read'; readonly process: number; readonly key: Key; readonly isStrict: boolean }
  | { readonly kind: 'write'; readonly process: number; readonly fact: Fact; readonly how: WriteKind }
  | { readonly kind: 'break' | 'mend'; readonly process: number }
  | { readonly kind: 'snapshot' | 'restart' | 'evict' }

export interface WorldOptions {
  readonly choose: Choose
  /** Called for each message between processes: whether it is lost. */
  readonly losesMessage: () => boolean
  readonly namespace?: Partial<NamespaceOptions<Versions>>
  readonly lagMsMax?: number
  readonly isStoreFenced?: boolean
  readonly createGenerations?: () => Generations
}

interface Process {
  readonly cache: Cache
  readonly namespace: Namespace<Versions>
  readonly link: ModelLink
}

interface Write {
  readonly fact: Fact
  readonly version: number
  readonly process: number
  resolved?: { readonly atMs: number; readonly reach: Invalidation['reach'] }
}

/** Two processes with the real code, a modelled Redis and a source; checks every result against the promises. */
export class World {
  readonly steps: Steps
  readonly violations: string[] = []
  answers = 0
  readonly #options: WorldOptions
  readonly #store: ModelStore
  readonly #processes: Process[]
  readonly #versions: Record<Fact, number> = { a: 0, b: 0 }
  readonly #writes: Write[] = []
  #snapshot: ReturnType<ModelStore['snapshot']> | undefined
  #open = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.steps = new Steps(options.choose)
    this.#store = new ModelStore(() => this.steps.monotonicMs(), options.isStoreFenced)
    this.#processes = [0, 1].map((index) => this.#openProcess(index))
  }

  /** Starts the actions, each in a step of its own, and runs steps until all have ended or the limit is reached. */
  async run(actions: readonly Action[], stepsMax = 400): Promise<void> {
    let next = 0
    const offer = () => {
      const action = actions[next++]
      if (action === undefined) return
      const start = () => {
        this.#start(action)
        offer()
      }
      this.steps.add(`start ${JSON.stringify(action)}`, start, true)
    }
    offer()
    await this.steps.run(() => next > actions.length && this.#open === 0, stepsMax)
    for (const { cache } of this.#processes) void cache.close()
  }

  #start(action: Action): void {
    switch (action.kind) {
      case 'read':
        this.#note(this.#read(action))
        return
      case 'write':
        this.#note(this.#write(action))
        return
      case 'break':
      case 'mend':
        this.#process(action.process).link.tell(action.kind === 'break' ? 'lost' : 'ready')
        return
      case 'snapshot':
        this.#snapshot = this.#store.snapshot()
        return
      case 'restart':
        for (const { link } of this.#processes) link.tell('lost')
        this.#store.restart(this.#snapshot ?? this.#store.snapshot())
        this.#snapshot = undefined
        for (const { link } of this.#processes) link.tell('ready')
        return
      case 'evict':
        this.#evict()
        return
    }
  }

  #note(work: Promise<void>): void {
    this.#open++
    void work.finally(() => this.#open--)
  }

  async #read({ process, key, isStrict }: Action & { kind: 'read' }): Promise<void> {
    const startedAtMs = this.steps.monotonicMs()
    const required = this.#required(process, startedAtMs, isStrict)
    let hit: Hit<Versions>
    try {
      hit = await this.#process(process).namespace.getOrSet(key, (context) => this.#load(key, context), {
        tags: ['a'],
        isStrict,
      })
    } catch {
      return
    }
    this.answers++
    for (const fact of factsOf[key]) {
      if (hit.value[fact] >= required[fact]) continue
      this.violations.push(
        `process ${process} got version ${hit.value[fact]} of ${fact} under ${key} from ${hit.source}, begun at ${startedAtMs}, and ${required[fact]} was due`,
      )
    }
  }

  /** Reading and returning are two steps, so a slow source returns an old version. */
  async #load(key: Key, context: LoadContext): Promise<Versions> {
    const seen = await this.steps.hop(`source reads for ${key}`, () => ({ ...this.#versions }))
    if (key === 'k2') context.tag('b')
    return await this.steps.hop(`source answers for ${key}`, () => seen)
  }

  async #write({ process, fact, how }: Action & { kind: 'write' }): Promise<void> {
    const version = ++this.#versions[fact]
    const write: Write = { fact, version, process }
    this.#writes.push(write)
    const reaches = await this.#invalidate(this.#process(process).namespace, fact, how)
    const reach = reaches.every((one) => one.reach === 'everywhere') ? 'everywhere' : 'process'
    write.resolved = { atMs: this.steps.monotonicMs(), reach }
  }

  async #invalidate(namespace: Namespace<Versions>, fact: Fact, how: WriteKind): Promise<Invalidation[]> {
    const keys: Key[] = fact === 'a' ? ['k1', 'k2'] : ['k2']
    switch (how) {
      case 'tag':
        return [await namespace.invalidateTags([fact])]
      case 'key':
        return [await namespace.delete(...keys)]
      case 'pattern':
        return [await namespace.invalidatePattern(fact === 'a' ? 'k?' : '*2')]
      case 'everything':
        return [await namespace.invalidateAll()]
      case 'set': {
        const value = { ...this.#versions }
        return await Promise.all(keys.map((key) => namespace.set(key, value, { tags: factsOf[key] })))
      }
    }
  }

  #required(process: number, nowMs: number, isStrict: boolean): Record<Fact, number> {
    const lag = isStrict ? 0 : lagMsMax
    const required: Record<Fact, number> = { a: 0, b: 0 }
    for (const { fact, version, process: writer, resolved } of this.#writes) {
      if (resolved === undefined) continue
      const isElsewhere = resolved.reach === 'everywhere' && (isStrict || resolved.atMs + lag < nowMs)
      if (writer === process || isElsewhere) required[fact] = Math.max(required[fact], version)
    }
    return required
  }

  /** As under maxmemory with allkeys-lru: any key may be evicted at any time. */
  #evict(): void {
    const { contents } = this.#store
    const victims = [
      () => (contents.state = undefined),
      () => (contents.log = undefined),
      () => contents.entries.clear(),
      () => contents.leases.clear(),
    ]
    victims[this.#options.choose(victims.length)]?.()
  }

  #openProcess(index: number): Process {
    const link = new ModelLink(`p${index}`, {
      steps: this.steps,
      store: this.#store,
      invalidated: () => this.#announce(index),
    })
    const { createGenerations } = this.#options
    const cache = assembleCache(
      { name: 'explored', lagMsMax: this.#options.lagMsMax ?? lagMsMax },
      {
        logger: silentLogger,
        clock: this.steps,
        random: () => 0.5,
        openRemote: () => link,
        ...(createGenerations === undefined ? {} : { createGenerations }),
      },
    )
    const namespace = cache.namespace<Versions>('explored', { level: 'hot', ...this.#options.namespace })
    return { cache, namespace, link }
  }

  #announce(from: number): void {
    this.#processes?.forEach(({ link }, index) => {
      if (index === from || this.#options.losesMessage()) return
      this.steps.add(`message to p${index}`, () => {
        if (link.isReady) link.tell('hint')
      })
    })
  }

  #process(index: number): Process {
    return this.#processes[index] as Process
  }
}
