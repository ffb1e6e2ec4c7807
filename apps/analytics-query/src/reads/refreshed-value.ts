export interface RefreshedValueConfig {
  /** From this age on the value is loaded again in the background, in ms. */
  readonly freshMs: number
  /** From this age on readers wait for the new value, in ms. */
  readonly usableMs: number
}

/**
 * A value that is loaded on first use and again when it is old, by at most one load at a time. When a load in the
 * background fails, the old value stays in use for `usableMs`.
 */
export class RefreshedValue<T> {
  readonly #config: RefreshedValueConfig
  readonly #load: () => Promise<T>
  readonly #now: () => number
  #value: { readonly of: T; readonly atMs: number } | undefined
  #loading: Promise<T> | undefined

  constructor(config: RefreshedValueConfig, load: () => Promise<T>, now: () => number) {
    this.#config = config
    this.#load = load
    this.#now = now
  }

  /** The value loaded last, however old; undefined before the first load. */
  get last(): T | undefined {
    return this.#value?.of
  }

  /** @throws what loading throws, when there is no usable value */
  async get(): Promise<T> {
    const value = this.#value
    const ageMs = value === undefined ? Number.POSITIVE_INFINITY : this.#now() - value.atMs
    if (value === undefined || ageMs >= this.#config.usableMs) return await this.#refresh()
    if (ageMs >= this.#config.freshMs) this.#refresh().catch(() => undefined)
    return value.of
  }

  async #refresh(): Promise<T> {
    this.#loading ??= this.#load()
      .then((of) => {
        this.#value = { of, atMs: this.#now() }
        return of
      })
      .finally(() => {
        this.#loading = undefined
      })
    return await this.#loading
  }
}
