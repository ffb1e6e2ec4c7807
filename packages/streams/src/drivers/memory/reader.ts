import type { Position, ReadLimits, StoredFrame, StreamReader } from '../../driver/stream-driver.js'

interface Source {
  after(partition: number, position: Position, framesMax: number): StoredFrame[]
  /** @throws STREAM_UNAVAILABLE */
  assertUp(): void
  closed(): void
}

/** Reads the partitions of a memory stream. */
export class MemoryReader implements StreamReader {
  readonly #source: Source
  readonly #positions = new Map<number, Position>()
  #wakeUp: (() => void) | undefined
  /** The partition to begin with, so that one with many frames does not starve the others. */
  #turn = 0

  constructor(source: Source) {
    this.#source = source
  }

  seek(partition: number, after: Position): void {
    this.#positions.set(partition, after)
    this.wake()
  }

  remove(partition: number): void {
    this.#positions.delete(partition)
    this.wake()
  }

  async read({ framesMax, bytesMax, blockMs }: ReadLimits): Promise<StoredFrame[]> {
    this.#source.assertUp()
    let frames = this.#take(framesMax, bytesMax)
    if (frames.length === 0 && blockMs > 0) {
      await this.#wait(blockMs)
      this.#source.assertUp()
      frames = this.#take(framesMax, bytesMax)
    }
    return frames
  }

  wake(): void {
    this.#wakeUp?.()
  }

  async close(): Promise<void> {
    this.#positions.clear()
    this.#source.closed()
    this.wake()
  }

  #take(framesMax: number, bytesMax: number): StoredFrame[] {
    const partitions = [...this.#positions.keys()]
    const taken: StoredFrame[] = []
    let bytes = 0
    for (let i = 0; i < partitions.length; i++) {
      const partition = partitions[(i + this.#turn) % partitions.length] as number
      for (const frame of this.#source.after(
        partition,
        this.#positions.get(partition) as Position,
        framesMax - taken.length,
      )) {
        if (taken.length > 0 && bytes + frame.bytes.length > bytesMax) break
        taken.push(frame)
        bytes += frame.bytes.length
        this.#positions.set(partition, frame.position)
      }
    }
    this.#turn++
    return taken
  }

  #wait(blockMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, blockMs)
      this.#wakeUp = done
      const forget = () => (this.#wakeUp = undefined)
      function done() {
        clearTimeout(timer)
        forget()
        resolve()
      }
    })
  }
}
