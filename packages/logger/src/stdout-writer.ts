import { writeSync } from 'node:fs'

const retryMs = 5
const pendingBytesMax = 33_554_432
const finishTimeoutMs = 5_000

/** Takes whole lines; `finish` returns when the last byte is out. */
export interface LineWriter {
  write(lines: string): void
  finish(): void
}

/**
 * Writes to a file descriptor. `process.stdout` will not do: when its pipe is full it keeps the rest in a queue that `process.exit` throws
 * away. Here what a full pipe refuses waits in memory and is tried again without holding up the process; only above 32 MiB, and at the end
 * for at most 5 s, does the process wait for its reader.
 */
export function createFdWriter(fd: number): LineWriter {
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
    if (!drain()) timer = setTimeout(drainLater, retryMs).unref()
  }

  return {
    write(lines) {
      const chunk = Buffer.from(lines)
      pending.push(chunk)
      pendingBytes += chunk.length
      if (timer === undefined) drainLater()
      while (pendingBytes > pendingBytesMax && !drain()) pause()
    },
    finish() {
      const deadline = performance.now() + finishTimeoutMs
      while (!drain() && performance.now() < deadline) pause()
    },
  }
}

/** Bytes taken: 0 when the descriptor is full, all of them when nobody reads any more. */
function writeSome(fd: number, chunk: Buffer): number {
  try {
    return writeSync(fd, chunk)
  } catch (error) {
    // A reader that went away ends the lines, not the process.
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : chunk.length
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))

function pause(): void {
  Atomics.wait(sleeper, 0, 0, 1)
}
