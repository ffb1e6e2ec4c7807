import { spawnSync } from 'node:child_process'
import type { LineSink } from './line-sink.js'
import { closeConnections, type PostAnswer, postLines } from './post-lines.js'
import type { ShippingCounts } from './shipping-counts.js'

/** Where lines go besides standard output, and what may wait for it. Only `url` and `writeKey` are required. */
export interface ShippingConfig {
  /** Address of log-shipper, for example `http://127.0.0.1:4318`. */
  readonly url: string
  /** An API key with the scope `write`. */
  readonly writeKey: string
  /** Bytes that wait at most; lines beyond that are dropped and counted. Default 8 MiB. */
  readonly bufferBytesMax?: number
  /** Bytes of one request. Default 512 KiB. */
  readonly requestBytesMax?: number
  /** How long a request may take, in ms; then it is sent again. Default 5,000. */
  readonly requestTimeoutMs?: number
  /** How long the end of the process may be delayed to deliver what waits, in ms. Default 3,000; 0 drops what waits. */
  readonly exitTimeoutMs?: number
}

/** Lines for log-shipper. */
export interface LineShipper extends LineSink {
  readonly counts: ShippingCounts
  /** Resolves when nothing waits any more, or after `timeoutMs`. */
  drained(timeoutMs: number): Promise<void>
}

interface Chunk {
  readonly bytes: Buffer
  readonly lines: number
}

const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5_000

/**
 * Sends lines to log-shipper as NDJSON, one request at a time, in their order and at least once: a request without an answer is sent again. A slow,
 * hung or dead log-shipper never delays the caller and never keeps the process running. Problems go to standard error, once when they begin.
 */
export function createLineShipper(config: ShippingConfig): LineShipper {
  return new Shipper(config)
}

class Shipper implements LineShipper {
  readonly counts = { written: 0, acknowledged: 0, dropped: 0, refused: 0, retries: 0, waitingBytes: 0 }
  readonly #config: Required<ShippingConfig>
  readonly #url: URL
  #waiting: Chunk[] = []
  #sending: Chunk[] = []
  #retryMs = RETRY_MS_MIN
  #timer: NodeJS.Timeout | undefined
  #isEnded = false
  #problem: string | undefined
  #dropsReported = 0

  constructor(config: ShippingConfig) {
    const defaults = {
      bufferBytesMax: 8_388_608,
      requestBytesMax: 524_288,
      requestTimeoutMs: 5_000,
      exitTimeoutMs: 3_000,
    }
    this.#config = { ...defaults, ...config }
    this.#url = new URL('/v1/logs/ndjson', config.url)
  }

  write(lines: string, count: number): void {
    this.counts.written += count
    // The length in characters is at most the length in bytes, so a flood is refused before it is copied.
    if (this.#isEnded || this.counts.waitingBytes + lines.length > this.#config.bufferBytesMax) {
      this.#drop(count)
      return
    }
    const bytes = Buffer.from(lines)
    this.#waiting.push({ bytes, lines: count })
    this.counts.waitingBytes += bytes.length
    if (this.#sending.length === 0 && this.#timer === undefined) void this.#sendAll()
  }

  async drained(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (this.counts.waitingBytes > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 5))
  }

  /** A process that ends can wait for nothing, so another one delivers what waits, in at most `exitTimeoutMs`. */
  finish(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    clearTimeout(this.#timer)
    closeConnections()
    const chunks = [...this.#sending, ...this.#waiting]
    this.#sending = this.#waiting = []
    if (chunks.length === 0) return
    const isDelivered = this.#config.exitTimeoutMs > 0 && this.#deliverByProcess(chunks)
    this.counts.waitingBytes = 0
    const lines = linesOf(chunks)
    if (isDelivered) this.counts.acknowledged += lines
    else {
      this.counts.dropped += lines
      report(`${lines} log lines were not delivered to log-shipper when the process ended`)
    }
  }

  async #sendAll(): Promise<void> {
    this.#timer = undefined
    while (this.#waiting.length > 0 || this.#sending.length > 0) {
      if (this.#sending.length === 0) this.#sending = this.#takeRequest()
      const answer = await postLines({
        url: this.#url,
        writeKey: this.#config.writeKey,
        body: Buffer.concat(this.#sending.map(({ bytes }) => bytes)),
        timeoutMs: this.#config.requestTimeoutMs,
      })
      if (this.#isEnded) return
      if (!this.#settle(answer)) return
    }
  }

  /** Whether the next request may follow at once. */
  #settle(answer: PostAnswer): boolean {
    if (answer.kind === 'failed') {
      this.counts.retries++
      this.#note(answer.reason)
      const waitMs = Math.max(this.#retryMs, answer.retryAfterMs ?? 0)
      // Half of the wait is random, so that processes that lost the same log-shipper do not come back together.
      this.#timer = setTimeout(() => void this.#sendAll(), waitMs / 2 + (Math.random() * waitMs) / 2).unref()
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX)
      return false
    }
    const lines = linesOf(this.#sending)
    this.counts.waitingBytes -= this.#sending.reduce((sum, { bytes }) => sum + bytes.length, 0)
    this.#sending = []
    if (answer.kind === 'refused') {
      this.counts.refused += lines
      this.#note(answer.reason)
      return true
    }
    this.counts.acknowledged += lines - answer.rejected
    this.counts.refused += answer.rejected
    this.#retryMs = RETRY_MS_MIN
    this.#noteRecovery()
    return true
  }

  #takeRequest(): Chunk[] {
    let bytes = 0
    let count = 0
    for (const chunk of this.#waiting) {
      if (count > 0 && bytes + chunk.bytes.length > this.#config.requestBytesMax) break
      bytes += chunk.bytes.length
      count++
    }
    return this.#waiting.splice(0, count)
  }

  #drop(lines: number): void {
    this.counts.dropped += lines
    if (this.#problem === undefined) this.#note('its buffer is full')
  }

  #note(problem: string): void {
    if (this.#problem === undefined) report(`log lines cannot be delivered to log-shipper: ${problem}`)
    this.#problem = problem
  }

  #noteRecovery(): void {
    if (this.#problem === undefined) return
    const dropped = this.counts.dropped - this.#dropsReported
    this.#dropsReported = this.counts.dropped
    report(`log lines are delivered to log-shipper again; ${dropped} were dropped`)
    this.#problem = undefined
  }

  #deliverByProcess(chunks: readonly Chunk[]): boolean {
    // Not as arguments, because every user of the machine can read those.
    const target = Buffer.from(`${JSON.stringify({ url: this.#url.href, key: this.#config.writeKey })}\n`)
    const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', DELIVER], {
      input: Buffer.concat([target, ...chunks.map(({ bytes }) => bytes)]),
      stdio: ['pipe', 'ignore', 'ignore'],
      timeout: this.#config.exitTimeoutMs,
      killSignal: 'SIGKILL',
    })
    return status === 0
  }
}

const DELIVER = `
const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const input = Buffer.concat(chunks)
const { url, key } = JSON.parse(input.subarray(0, input.indexOf(10)).toString())
const body = input.subarray(input.indexOf(10) + 1)
const headers = { 'content-type': 'application/x-ndjson', authorization: 'Bearer ' + key }
for (;;) {
  try {
    const answer = await fetch(url, { method: 'POST', headers, body })
    if (answer.ok) process.exit(0)
    if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) process.exit(1)
  } catch {}
  await new Promise((resolve) => setTimeout(resolve, 100))
}`

function linesOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { lines }) => sum + lines, 0)
}

/** Not by the logger itself: a problem of delivering lines must not make lines. */
function report(message: string): void {
  process.stderr.write(`${JSON.stringify({ timestamp: new Date().toISOString(), level: 'warn', message })}\n`)
}
