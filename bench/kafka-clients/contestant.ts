export const PARTITIONS = 16

/** What is measured of a client: frames to given partitions with acks=-1, and fetches of all partitions from given offsets on. */
export interface Contestant {
  /** Rejects unless every partition has stored its frame. */
  produce(frames: readonly { partition: number; frame: Buffer }[]): Promise<void>
  /** Returns the frames from the offsets on (one a partition), and moves the offsets behind them; at the end of a partition back to its start. */
  fetch(offsets: number[]): Promise<number>
}

export interface Target {
  /** `host:port` of the only broker. */
  broker: string
  topic: string
}

export const FETCH_LIMITS = { maxWaitMs: 100, bytesMax: 4 * 1024 ** 2, partitionBytesMax: 1024 ** 2 }
