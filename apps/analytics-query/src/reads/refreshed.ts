export interface RefreshedConfig {
  /** From this age on a value is loaded again behind the reader's back, in ms. */
  readonly freshMs: number
  /** From this age on the reader waits for the new one, in ms. */
  readonly usableMs: number
}

/**
 * A value that is loaded when first asked for and again when it has grown old, by one load at a time. A load that fails behind a reader's back leaves
 * the old value for as long as it is usable.
 */
export class Refreshed<T> {
  readonly #config: RefreshedConfig
  readonly #load: () => Promise<T>
  readonly #now: () => number
  #value: { readonly of: T; readonly atMs: number } | undefined
  #loading: Promise<T> | undefined

  constructor(config: RefreshedConfig, load: () => Promise<T>, now: () => number) {
    this.#config = config
    this.#load = load
    this.#now = now
  }

  /** The last one loaded, however old; undefined before the first. */
  get last(): T | undefined {
    return this.#value?.of
  }

  /** @throws what loading throws when there is no usable value. */
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
