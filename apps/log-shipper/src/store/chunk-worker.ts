import { parentPort, workerData } from 'node:worker_threads'
import { type BatchToStore, type BuildRule, type BuiltWindow, LogChunkBuilder } from './build-chunks.js'

/** What the thread is asked: the bytes of batches lie in shared memory. */
export interface BuildRequest {
  readonly batches: readonly (Omit<BatchToStore, 'bytes'> & { readonly bytes: Uint8Array })[]
}

export type BuildAnswer = { readonly built: BuiltWindow } | { readonly error: string }

/** Runs in a thread of its own (chunk-thread.ts): builds the chunks of one window at a time. */
const builder = new LogChunkBuilder(workerData as BuildRule)

parentPort?.on('message', ({ batches }: BuildRequest) => {
  try {
    const built = builder.build(
      batches.map(({ bytes, ...batch }) => ({
        ...batch,
        bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      })),
    )
    // The tuples are moved, not copied.
    parentPort?.postMessage(
      { built } satisfies BuildAnswer,
      built.rows.map(({ tuple }) => tuple.buffer as ArrayBuffer),
    )
  } catch (error) {
    parentPort?.postMessage({ error: String((error as Error).stack ?? error) } satisfies BuildAnswer)
  }
})
