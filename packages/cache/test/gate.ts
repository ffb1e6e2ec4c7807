/** A loader under the test's control: it reports its first call and returns when it is opened. */
export class Gate<T> {
  calls = 0
  /** Resolves with the first call. */
  readonly called: Promise<void>
  #noteCall: () => void = () => undefined
  readonly #waiting: ((value: T) => void)[] = []

  constructor() {
    this.called = new Promise((resolve) => {
      this.#noteCall = resolve
    })
  }

  readonly load = (): Promise<T> => {
    this.calls++
    this.#noteCall()
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** Lets all waiting calls return. */
  open(value: T): void {
    for (const resolve of this.#waiting.splice(0)) resolve(value)
  }
}
