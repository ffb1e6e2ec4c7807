import { gunzipSync } from 'node:zlib'
import type { FetchedMessage, KafkaMessage } from '../kafka-client.js'
import { varintSize, WireReader, type WireWriter } from '../wire.js'
import { crc32c } from './crc32c.js'

/**
 * Record batches of format 2. Length and CRC-32C precede the part that they cover.
 * https://kafka.apache.org/documentation/#recordbatch
 */
const HEADER_BYTES = 61
/** From the base offset to the field after the length. */
const LENGTH_END = 12
const CRC_OFFSET = 17
const COVERED_OFFSET = 21
const MAGIC = 2

const CODEC_MASK = 0x07
const LOG_APPEND_TIME = 0x08
const CONTROL = 0x20
const CODEC_GZIP = 1
/** Protects the memory from a batch that grows enormously. */
const UNCOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
const EMPTY = Buffer.alloc(0)

/** A batch's messages are of one partition. */
export function recordBatchSize(messages: readonly KafkaMessage[]): number {
  const base = messages[0]?.timestampMs ?? 0
  let size = HEADER_BYTES
  messages.forEach((message, index) => {
    const body = recordBodySize(message, index, base)
    size += varintSize(body) + body
  })
  return size
}

/** Writes an uncompressed batch without producer id: the broker does not deduplicate it. */
export function writeRecordBatch(out: WireWriter, messages: readonly KafkaMessage[], size: number): void {
  const start = out.offset
  const base = messages[0]?.timestampMs ?? 0
  const newest = messages.reduce((max, { timestampMs }) => Math.max(max, timestampMs), base)
  out
    .int64(0)
    .int32(size - LENGTH_END)
    .int32(-1)
    .int8(MAGIC)
    .int32(0)
  out
    .int16(0)
    .int32(messages.length - 1)
    .int64(base)
    .int64(newest)
    .int64(-1)
    .int16(-1)
    .int32(-1)
    .int32(messages.length)
  for (const [index, message] of messages.entries()) writeRecord(out, message, index, base)
  out.uint32At(crc32c(out.bytes, start + COVERED_OFFSET, out.offset), start + CRC_OFFSET)
}

function writeRecord(out: WireWriter, message: KafkaMessage, index: number, base: number): void {
  const { key, value, timestampMs, headers } = message
  out
    .varint(recordBodySize(message, index, base))
    .int8(0)
    .varint(timestampMs - base)
    .varint(index)
  if (key == null) out.varint(-1)
  else out.varint(key.length).raw(key)
  out.varint(value.length).raw(value)
  const entries = headers === undefined ? [] : Object.entries(headers)
  out.varint(entries.length)
  for (const [name, text] of entries) {
    const nameBytes = Buffer.from(name)
    const textBytes = Buffer.from(text)
    out.varint(nameBytes.length).raw(nameBytes).varint(textBytes.length).raw(textBytes)
  }
}

function recordBodySize({ key, value, timestampMs, headers }: KafkaMessage, index: number, base: number): number {
  const keySize = key == null ? 1 : varintSize(key.length) + key.length
  let size = 1 + varintSize(timestampMs - base) + varintSize(index) + keySize + varintSize(value.length) + value.length
  const entries = headers === undefined ? [] : Object.entries(headers)
  size += varintSize(entries.length)
  for (const [name, text] of entries) {
    const nameLength = Buffer.byteLength(name)
    const textLength = Buffer.byteLength(text)
    size += varintSize(nameLength) + nameLength + varintSize(textLength) + textLength
  }
  return size
}

/** The messages of a fetch from `from` on, and the offset behind the last whole batch. */
export interface DecodedRecords {
  readonly messages: readonly FetchedMessage[]
  readonly nextOffset: number
}

/**
 * Decodes batches. The last one may be cut off by the size limit of the fetch and is then left out. The values are parts of `records`.
 * A batch of another producer that is compressed with an unknown codec is returned as one message without a value, so that it is reported and
 * skipped like any message that is not a frame.
 * @throws Error when the first batch has an old format or does not match its checksum; the batches before a later one are returned
 */
export function decodeRecordBatches(records: Buffer, from: number): DecodedRecords {
  const messages: FetchedMessage[] = []
  let nextOffset = from
  let at = 0
  while (records.length - at >= HEADER_BYTES) {
    const length = records.readInt32BE(at + 8)
    const end = at + LENGTH_END + length
    if (end > records.length) break
    const before = messages.length
    try {
      nextOffset = Math.max(nextOffset, decodeBatch(records.subarray(at, end), from, messages))
    } catch (error) {
      if (at === 0) throw error
      messages.length = before
      break
    }
    at = end
  }
  return { messages, nextOffset }
}

function decodeBatch(batch: Buffer, from: number, messages: FetchedMessage[]): number {
  if (batch[16] !== MAGIC) throw new Error(`a record batch has the format ${batch[16]}, which is not supported`)
  const reader = new WireReader(batch)
  const baseOffset = reader.int64()
  reader.skip(9)
  const crc = reader.int32() >>> 0
  if (crc32c(batch, COVERED_OFFSET, batch.length) !== crc)
    throw new Error(`the record batch at offset ${baseOffset} does not match its checksum`)
  const attributes = reader.int16()
  const nextOffset = baseOffset + reader.int32() + 1
  const baseTimestamp = reader.int64()
  const maxTimestamp = reader.int64()
  reader.skip(14)
  const count = reader.int32()
  const records = uncompress(reader, attributes)
  if (records === undefined) {
    if (nextOffset > from) messages.push({ offset: nextOffset - 1, timestampMs: maxTimestamp, value: EMPTY })
    return nextOffset
  }
  for (let i = 0; i < count; i++) {
    const record = new WireReader(records.raw(records.varint()))
    record.skip(1)
    const timestampMs = baseTimestamp + record.varint()
    const offset = baseOffset + record.varint()
    if (offset < from) continue
    const keyLength = record.varint()
    if (keyLength > 0) record.skip(keyLength)
    const valueLength = record.varint()
    const isEmpty = valueLength <= 0 || (attributes & CONTROL) !== 0
    messages.push({
      offset,
      timestampMs: (attributes & LOG_APPEND_TIME) !== 0 ? maxTimestamp : timestampMs,
      value: isEmpty ? EMPTY : record.raw(valueLength),
    })
  }
  return nextOffset
}

/** Undefined for a codec that is not supported, and for bytes that cannot be uncompressed. */
function uncompress(reader: WireReader, attributes: number): WireReader | undefined {
  const codec = attributes & CODEC_MASK
  if (codec === 0) return reader
  if (codec !== CODEC_GZIP) return undefined
  try {
    return new WireReader(gunzipSync(reader.raw(reader.left), { maxOutputLength: UNCOMPRESSED_BYTES_MAX }))
  } catch {
    return undefined
  }
}
