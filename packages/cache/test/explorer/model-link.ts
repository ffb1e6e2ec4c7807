import { redisErrors } from '@millrace/redis'
import type { Names } from '../../src/generations.js'
import type {
  Fetched,
  FetchOptions,
  LogPosition,
  Missed,
  RemoteEntry,
  RemoteTier,
  StoreClaim,
  WriteClaim,
} from '../../src/remote-tier.js'
import type { ModelStore } from '../model/model-store.js'
import type { Steps } from './steps.js'

type LinkEvent = 'hint' | 'lost' | 'ready'

/** The connection of one process to the model. A command has two steps, its execution and its reply; either may be lost with the connection. */
export class ModelLink implements RemoteTier {
  isReady = true
  readonly #name: string
  readonly #steps: Steps
  readonly #store: ModelStore
  readonly #underWay = new Set<() => void>()
  readonly #invalidated: () => void
  #listener: ((event: LinkEvent) => void) | undefined

  constructor(
    name: string,
    parts: { readonly steps: Steps; readonly store: ModelStore; readonly invalidated: () => void },
  ) {
    this.#name = name
    this.#steps = parts.steps
    this.#store = parts.store
    this.#invalidated = parts.invalidated
  }

  fetch(key: string, options: FetchOptions): Promise<Fetched | undefined> {
    return this.#runScript(`fetch ${key}`, () => this.#store.fetch(key, options))
  }

  store(key: string, entry: RemoteEntry, claim: StoreClaim): Promise<boolean> {
    return this.#runScript(`store ${key}`, () => this.#store.store(key, entry, claim))
  }

  extend(key: string, token: string, leaseMs: number): Promise<boolean> {
    return this.#runScript(`extend ${key}`, () => this.#store.extend(key, token, leaseMs))
  }

  release(key: string, token: string, isOpen: boolean): Promise<void> {
    return this.#runScript(`release ${key}`, () => this.#store.release(key, token, isOpen))
  }

  invalidate(names: Names, claim?: WriteClaim): Promise<LogPosition> {
    return this.#runScript('invalidate', () => {
      const position = this.#store.invalidate(names, claim)
      this.#invalidated()
      return position
    })
  }

  sync(since: LogPosition | undefined): Promise<Missed> {
    return this.#runScript('sync', () => this.#store.sync(since))
  }

  remember(hits: ReadonlyMap<string, number>): Promise<void> {
    return this.#runScript('remember', () => this.#store.remember(hits))
  }

  popular(limit: number): Promise<string[]> {
    return this.#runScript('popular', () => this.#store.mostPopular(limit))
  }

  listen(listener: (event: LinkEvent) => void): () => void {
    this.#listener = listener
    return () => {
      this.#listener = undefined
    }
  }

  tell(event: LinkEvent): void {
    if (event !== 'hint') this.isReady = event === 'ready'
    if (event === 'lost') for (const lose of [...this.#underWay]) lose()
    this.#listener?.(event)
  }

  #runScript<T>(label: string, execute: () => T): Promise<T> {
    if (!this.isReady) return Promise.reject(redisErrors.REDIS_UNAVAILABLE())
    return new Promise((resolve, reject) => {
      let takeBack: () => void
      const lose = () => {
        this.#underWay.delete(lose)
        takeBack()
        reject(redisErrors.REDIS_UNAVAILABLE())
      }
      this.#underWay.add(lose)
      takeBack = this.#steps.add(`${this.#name}: ${label}`, () => {
        const result = execute()
        takeBack = this.#steps.add(`${this.#name}: reply to ${label}`, () => {
          this.#underWay.delete(lose)
          resolve(result)
        })
      })
    })
  }
}
