import { mix32 } from '../load/numbering.js'

/** Mean distance of two lines in nanoseconds: 10 million lines in 24 hours. */
const STEP_NS = 8_640_000

/** A time in whole milliseconds since 1970 and the nanoseconds after them. */
export interface LineTime {
  ms: number
  subNs: number
}

/** The time of line `number`: unique, ascending with the number, and random below the mean distance. It identifies the line. */
export function timeOfLine(startMs: number, number: number, into: LineTime): void {
  // Below 2^53 up to a billion lines.
  const ns = number * STEP_NS + (mix32(number) % STEP_NS)
  into.ms = startMs + Math.floor(ns / 1e6)
  into.subNs = ns % 1e6
}

/** Forms in which the wires write a time. Each has a fixed length, so that the time of a prepared request can be replaced. */
export type TimeForm = 'nanoseconds' | 'date' | 'fixed64' | 'event-time' | 'timestamp'

/** What stands for a time until `writeTime` replaces it. */
export function placeholderOf(form: TimeForm): Buffer {
  if (form === 'nanoseconds') return Buffer.alloc(19, '0')
  if (form === 'date') return Buffer.from('1970-01-01T00:00:00.000000000Z')
  if (form === 'timestamp') return Buffer.from([0x08, 0x80, 0x80, 0x80, 0x80, 0, 0x10, 0x80, 0x80, 0x80, 0x80, 0])
  return Buffer.alloc(8)
}

/** Replaces the time that stands at `at`. */
export function writeTime(bytes: Buffer, at: number, { form, time }: { form: TimeForm; time: LineTime }): void {
  const { ms, subNs } = time
  const seconds = Math.floor(ms / 1000)
  const nanos = (ms - seconds * 1000) * 1e6 + subNs
  switch (form) {
    case 'nanoseconds':
      writeDigits(bytes, at, { value: seconds, digits: 10 })
      writeDigits(bytes, at + 10, { value: nanos, digits: 9 })
      return
    case 'date':
      secondOf(seconds).copy(bytes, at)
      writeDigits(bytes, at + 20, { value: nanos, digits: 9 })
      return
    case 'fixed64':
      bytes.writeBigUInt64LE(BigInt(seconds) * 1_000_000_000n + BigInt(nanos), at)
      return
    case 'event-time':
      bytes.writeUInt32BE(seconds, at)
      bytes.writeUInt32BE(nanos, at + 4)
      return
    case 'timestamp':
      writeVarint(bytes, at + 1, seconds)
      writeVarint(bytes, at + 7, nanos)
  }
}

let lastSecond = -1
let lastText = Buffer.alloc(20)

/** "2026-11-28T12:34:56." */
function secondOf(seconds: number): Buffer {
  if (seconds !== lastSecond) {
    lastSecond = seconds
    lastText = Buffer.from(new Date(seconds * 1000).toISOString().slice(0, 20))
  }
  return lastText
}

function writeDigits(bytes: Buffer, at: number, { value, digits }: { value: number; digits: number }): void {
  for (let i = at + digits - 1, rest = value; i >= at; i--) {
    const tenth = Math.floor(rest / 10)
    bytes[i] = 48 + rest - tenth * 10
    rest = tenth
  }
}

/** Five bytes, whatever the value needs. */
function writeVarint(bytes: Buffer, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = ((value >>> (7 * i)) & 0x7f) | 0x80
  bytes[at + 4] = (value >>> 28) & 0x0f
}
