import { destroyBroker, type KafkajsBroker } from './internals.js'

/** While attempts have no result, another one is made after this time, in ms: a firewall or a hung broker may have swallowed the earlier ones. */
const NEXT_ATTEMPT_MS = 3_000
/** An attempt is given up after this time, in ms: a login over TLS takes seven round trips. */
export const CONNECT_MS_MAX = 30_000

interface Attempt {
  readonly broker: KafkajsBroker
  readonly startedAtMs: number
  readonly end: NodeJS.Timeout
}

interface ConnectorDeps {
  readonly create: () => KafkajsBroker
  /** Called for each connection, also when nobody waits for it any more. */
  readonly connected: (broker: KafkajsBroker, tookMs: number) => void
}

interface Waiter {
  resolve(broker: KafkajsBroker): void
  reject(error: Error): void
}

/**
 * Connects to one broker. A caller waits for a limited time, but the attempt goes on and serves the next caller: so a caller never waits for long
 * behind a broker that hangs, and a broker behind a slow link is reached as well.
 */
export class Connector {
  readonly #address: string
  readonly #deps: ConnectorDeps
  readonly #attempts = new Set<Attempt>()
  readonly #waiting = new Set<Waiter>()
  #newestAtMs = Number.NEGATIVE_INFINITY

  constructor(address: string, deps: ConnectorDeps) {
    this.#address = address
    this.#deps = deps
  }

  /** `known`: a broker whose connection has ended or has to log in again. @throws Error when an attempt failed, or none has succeeded within `waitMs` */
  connect(waitMs: number, known?: KafkajsBroker): Promise<KafkajsBroker> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        waiter.reject(new Error(`connecting to ${this.#address} took longer than ${waitMs} ms`))
      }, waitMs)
      const leave = () => {
        clearTimeout(late)
        this.#waiting.delete(waiter)
      }
      const waiter: Waiter = {
        resolve: (broker) => {
          leave()
          resolve(broker)
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      this.#waiting.add(waiter)
      if (this.#attempts.size === 0 || performance.now() - this.#newestAtMs >= NEXT_ATTEMPT_MS)
        this.#attempt(this.#attempts.size === 0 && known !== undefined ? known : this.#deps.create())
    })
  }

  close(cause: Error): void {
    for (const attempt of this.#attempts) this.#abandon(attempt, cause)
    for (const { reject } of this.#waiting) reject(cause)
  }

  #attempt(broker: KafkajsBroker): void {
    const startedAtMs = performance.now()
    this.#newestAtMs = startedAtMs
    const late = () => this.#abandon(attempt, new Error(`connecting to ${this.#address} took too long`))
    const attempt: Attempt = { broker, startedAtMs, end: setTimeout(late, CONNECT_MS_MAX).unref() }
    this.#attempts.add(attempt)
    broker.connect().then(
      () => this.#succeed(attempt),
      (error: Error) => this.#fail(attempt, error),
    )
  }

  #succeed(attempt: Attempt): void {
    // Given up before.
    if (!this.#attempts.has(attempt)) return
    this.#forget(attempt)
    for (const other of this.#attempts) this.#abandon(other, new Error('another attempt to connect was faster'))
    this.#deps.connected(attempt.broker, performance.now() - attempt.startedAtMs)
    for (const { resolve } of this.#waiting) resolve(attempt.broker)
  }

  #fail(attempt: Attempt, error: Error): void {
    if (!this.#attempts.has(attempt)) return
    this.#abandon(attempt, error)
    this.#newestAtMs = Number.NEGATIVE_INFINITY
    for (const { reject } of this.#waiting) reject(error)
  }

  #abandon(attempt: Attempt, cause: Error): void {
    this.#forget(attempt)
    destroyBroker(attempt.broker, cause)
  }

  #forget(attempt: Attempt): void {
    clearTimeout(attempt.end)
    this.#attempts.delete(attempt)
  }
}
