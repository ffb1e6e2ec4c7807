import { DecodeFault } from '../fields/decode-fault.js'
import type { DecodeNotes } from '../fields/decode-notes.js'
import { decodeText } from './repaired-text.js'

/** Wire types of protobuf, https://protobuf.dev/programming-guides/encoding/#structure */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const

const INT32_SPAN = 2 ** 32

/** A part of a buffer, in bytes. */
export interface ByteRange {
  readonly start: number
  /** The byte after the last one. */
  readonly end: number
}

/**
 * Reads the fields of one protobuf message in place. Every read is checked against the end of the message.
 *
 *     while (reader.next()) if (reader.field === 1 && reader.wire === WIRE.bytes) name = reader.string(); else reader.skip()
 */
export class ProtobufReader {
  readonly bytes: Buffer
  /** Number of the field whose tag was read last. */
  field = 0
  /** Its wire type. */
  wire = 0
  readonly notes: DecodeNotes
  #position: number
  readonly #end: number
  /** The halves of the varint that was read last. */
  #low = 0
  #high = 0

  constructor(bytes: Buffer, notes: DecodeNotes, { start, end }: ByteRange = { start: 0, end: bytes.length }) {
    this.bytes = bytes
    this.notes = notes
    this.#position = start
    this.#end = end
  }

  /** Reads the tag of the next field; false at the end of the message. */
  next(): boolean {
    if (this.#position >= this.#end) return false
    const tag = this.uint32()
    this.field = tag >>> 3
    this.wire = tag & 7
    if (this.field === 0) throw this.#fault('the field number 0')
    return true
  }

  /** The low 32 bits of a varint, unsigned. */
  uint32(): number {
    this.#varint()
    return this.#low
  }

  /** A signed 64-bit varint: a number, or its decimal text beyond 2^53. */
  int64(): number | string {
    this.#varint()
    const value = (this.#high | 0) * INT32_SPAN + this.#low
    return Number.isSafeInteger(value) ? value : String((BigInt(this.#high | 0) << 32n) | BigInt(this.#low))
  }

  bool(): boolean {
    this.#varint()
    return this.#low !== 0 || this.#high !== 0
  }

  fixed32(): number {
    const at = this.#move(4)
    return this.bytes.readUInt32LE(at)
  }

  /** The two halves of an unsigned 64-bit number, through `read`. */
  fixed64<T>(read: (high: number, low: number) => T): T {
    const at = this.#move(8)
    return read(this.bytes.readUInt32LE(at + 4), this.bytes.readUInt32LE(at))
  }

  double(): number {
    return this.bytes.readDoubleLE(this.#move(8))
  }

  string(): string {
    const { start, end } = this.range()
    const { text, isRepaired } = decodeText(this.bytes, start, end)
    if (isRepaired) this.notes.isRepaired = true
    return text
  }

  /** Where the content of a length-delimited field lies in `bytes`. */
  range(): ByteRange {
    const length = this.uint32()
    if (this.#high !== 0) throw this.#fault('a length of more than 4 GiB')
    const start = this.#move(length)
    return { start, end: start + length }
  }

  /** A reader of the content of a length-delimited field, which shares `notes`. */
  message(): ProtobufReader {
    return new ProtobufReader(this.bytes, this.notes, this.range())
  }

  /** A view of the content of a length-delimited field. */
  view(): Buffer {
    const { start, end } = this.range()
    return this.bytes.subarray(start, end)
  }

  /** Skips the value of the current field, whatever its type is. */
  skip(): void {
    let groups = 0
    do {
      this.#skipOne()
      if (this.wire === WIRE.groupStart) groups++
      else if (this.wire === WIRE.groupEnd && --groups < 0) throw this.#fault('the end of a group that did not begin')
      if (groups > 0 && !this.next()) throw this.#fault('a group does not end')
    } while (groups > 0)
  }

  #skipOne(): void {
    if (this.wire === WIRE.varint) this.#varint()
    else if (this.wire === WIRE.fixed64) this.#move(8)
    else if (this.wire === WIRE.bytes) this.range()
    else if (this.wire === WIRE.fixed32) this.#move(4)
    else if (this.wire > WIRE.fixed32) throw this.#fault(`the wire type ${this.wire}`)
  }

  #varint(): void {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.#move(1)] as number
      if (shift < 28) low |= (byte & 0x7f) << shift
      else if (shift === 28) {
        low |= (byte & 0x0f) << 28
        high |= (byte & 0x7f) >>> 4
      } else high |= (byte & 0x7f) << (shift - 32)
      if (byte < 0x80) {
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    throw this.#fault('a number of more than 10 bytes')
  }

  #move(bytes: number): number {
    const at = this.#position
    if (bytes > this.#end - at) throw this.#fault(`${bytes} bytes are expected and ${this.#end - at} are left`)
    this.#position = at + bytes
    return at
  }

  #fault(reason: string): DecodeFault {
    return new DecodeFault('invalid_record', `not valid protobuf at byte ${this.#position}: ${reason}`)
  }
}
