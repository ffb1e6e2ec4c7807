/**
 * Rows in PostgreSQL's binary COPY format, for tables that get a few rows per batch.
 * https://www.postgresql.org/docs/current/sql-copy.html ("Binary Format")
 */
export class BinaryTuples {
  #buffer: Buffer
  #used = 0

  constructor(expectedBytes = 4096) {
    this.#buffer = Buffer.allocUnsafe(expectedBytes)
  }

  /** Begins a row of `fields` fields; as many calls that write one field must follow. */
  begin(fields: number): this {
    this.#room(2)
    this.#used = this.#buffer.writeInt16BE(fields, this.#used)
    return this
  }

  bool(value: boolean): this {
    this.#room(5)
    this.#used = this.#buffer.writeInt32BE(1, this.#used)
    this.#used = this.#buffer.writeUInt8(value ? 1 : 0, this.#used)
    return this
  }

  int2(value: number): this {
    this.#room(6)
    this.#used = this.#buffer.writeInt32BE(2, this.#used)
    this.#used = this.#buffer.writeInt16BE(value, this.#used)
    return this
  }

  int4(value: number): this {
    this.#room(8)
    this.#used = this.#buffer.writeInt32BE(4, this.#used)
    this.#used = this.#buffer.writeInt32BE(value, this.#used)
    return this
  }

  /** Writes an int8 from a safe integer. */
  int8(value: number): this {
    this.#room(12)
    this.#used = this.#buffer.writeInt32BE(8, this.#used)
    this.#used = this.#buffer.writeBigInt64BE(BigInt(value), this.#used)
    return this
  }

  uuid(value: string): this {
    this.#room(20)
    this.#used = this.#buffer.writeInt32BE(16, this.#used)
    this.#used += this.#buffer.write(value.replaceAll('-', ''), this.#used, 'hex')
    return this
  }

  text(value: string): this {
    const bytes = Buffer.byteLength(value)
    this.#room(4 + bytes)
    this.#used = this.#buffer.writeInt32BE(bytes, this.#used)
    this.#used += this.#buffer.write(value, this.#used, 'utf8')
    return this
  }

  bytes(value: Uint8Array | null): this {
    this.#room(4 + (value?.length ?? 0))
    this.#used = this.#buffer.writeInt32BE(value?.length ?? -1, this.#used)
    if (value !== null) {
      this.#buffer.set(value, this.#used)
      this.#used += value.length
    }
    return this
  }

  /** The written bytes. The object must not be used afterwards. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return
    const next = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#used + bytes))
    this.#buffer.copy(next, 0, 0, this.#used)
    this.#buffer = next
  }
}
