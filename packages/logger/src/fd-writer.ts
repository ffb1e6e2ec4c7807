import { writeSync } from 'node:fs'
import type { LineSink } from './line-sink.js'

const RETRY_MS = 5
const PENDING_BYTES_MAX = 33_554_432
const FINISH_TIMEOUT_MS = 5_000

/**
 * Writes to a file descriptor. `process.stdout` cannot be used: when its pipe is full it keeps the rest in a queue that `process.exit` throws away.
 * Here bytes that a full pipe does not take wait in memory and are tried again every 5 ms. The process waits for the reader of the pipe only
 * when more than 32 MiB wait, and in `finish`, which returns when the last byte is out, or after 5 s.
 */
export function createFdWriter(fd: number): LineSink {
  const pending: Buffer[] = []
  let pendingBytes = 0
  let timer: NodeJS.Timeout | undefined

  /** Writes what the descriptor takes; false when it is full. */
  const drain = (): boolean => {
    for (let chunk = pending[0]; chunk !== undefined; chunk = pending[0]) {
      const written = writeSome(fd, chunk)
      pendingBytes -= written
      if (written < chunk.length) pending[0] = chunk.subarray(written)
      else pending.shift()
      if (written === 0) return false
    }
    return true
  }
  const drainLater = () => {
    timer = undefined
    if (!drain()) timer = setTimeout(drainLater, RETRY_MS).unref()
  }

  return {
    write(lines) {
      const chunk = Buffer.from(lines)
      pending.push(chunk)
      pendingBytes += chunk.length
      if (timer === undefined) drainLater()
      while (pendingBytes > PENDING_BYTES_MAX && !drain()) pause()
    },
    finish() {
      const deadline = performance.now() + FINISH_TIMEOUT_MS
      while (!drain() && performance.now() < deadline) pause()
    },
  }
}

/** Returns the number of bytes taken: 0 when the pipe is full, all when its reader is gone. */
function writeSome(fd: number, chunk: Buffer): number {
  try {
    return writeSync(fd, chunk)
  } catch (error) {
    // Without a reader the lines are lost, but the process continues.
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : chunk.length
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))

function pause(): void {
  Atomics.wait(sleeper, 0, 0, 1)
}
