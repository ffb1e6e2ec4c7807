/** What is measured: whole objects that are stored and read. */
export interface Contestant {
  /** Resolves when the object is durable. */
  put(key: string, bytes: Buffer): Promise<void>
  /** The same for an object that comes in pieces. */
  putStream(key: string, pieces: AsyncIterable<Buffer>): Promise<void>
  /** Reads an object to its end and returns the number of its bytes. */
  get(key: string): Promise<number>
  close(): Promise<void>
}

/** Where the objects are. It can be sent to another process. */
export interface Target {
  /** Address of the store, for `parseObjectStoreUrl`. */
  readonly url: string
  /** For S3. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
}
