import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type BatchToStore, type BuildRule, type BuiltWindow, LogChunkBuilder } from './build-chunks.js'
import type { BuildAnswer, BuildRequest } from './chunk-worker.js'

/** Windows with fewer lines are built at once, in a few milliseconds; so an idle process needs no second thread. */
const THREAD_LINES_MIN = 4096
const HEAP_MB_MAX = 256

export interface ChunkThreadOptions {
  readonly rule: BuildRule
  /** The program of the thread. Default: chunk-worker.js beside this file. */
  readonly program?: URL
}

/**
 * Builds the chunks of large windows in a thread of its own, so that requests do not wait meanwhile. The thread starts with the first large window. When it ends,
 * the window that it was building fails, and the next one starts it again. One window at a time.
 */
export class ChunkThread {
  readonly #rule: BuildRule
  readonly #program: URL
  readonly #local: LogChunkBuilder
  #worker: Worker | undefined

  constructor({ rule, program = new URL('./chunk-worker.js', import.meta.url) }: ChunkThreadOptions) {
    this.#rule = rule
    this.#program = program
    this.#local = new LogChunkBuilder(rule)
  }

  async build(batches: readonly BatchToStore[]): Promise<BuiltWindow> {
    const lines = batches.reduce((sum, batch) => sum + batch.lines, 0)
    if (lines < THREAD_LINES_MIN) return this.#local.build(batches)
    const worker = this.#running()
    const ended = new AbortController()
    const fail = (error: Error) => ended.abort(error)
    worker.once('error', fail)
    const onExit = (code: number) => fail(new Error(`the thread that builds chunks ended with code ${code}`))
    worker.once('exit', onExit)
    try {
      const answer = once(worker, 'message', { signal: ended.signal })
      worker.postMessage({ batches: batches.map(toRequest) } satisfies BuildRequest)
      const [message] = (await answer) as [BuildAnswer]
      if ('error' in message) throw new Error(`chunks cannot be built: ${message.error}`)
      return message.built
    } catch (error) {
      throw ended.signal.aborted ? ended.signal.reason : error
    } finally {
      worker.off('error', fail)
      worker.off('exit', onExit)
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(this.#program, {
      workerData: this.#rule,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    })
    // The process must not stay alive for it, and an error outside of a window ends only the thread.
    worker.unref()
    worker.on('error', () => undefined)
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
    })
    this.#worker = worker
    return worker
  }
}

function toRequest(batch: BatchToStore): BuildRequest['batches'][number] {
  const { tenantId, service, partition, firstOrdinal, lines, receivedAtMs, bytes } = batch
  return { tenantId, service, partition, firstOrdinal, lines, receivedAtMs, bytes }
}
