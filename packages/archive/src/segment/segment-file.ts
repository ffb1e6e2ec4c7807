import { createHash, randomBytes } from 'node:crypto'
import { archiveErrors } from '../archive-errors.js'
import { KEY_BYTES, open, SEAL_BYTES, seal } from '../keys/seal.js'
import type { TenantKey } from '../keys/tenant-keys.js'
import {
  type ChainId,
  type Entry,
  parseEntry,
  type SegmentEntry,
  type SegmentFacts,
  type TombstoneEntry,
} from './entry.js'

/*
 * An object of a chain, version 1 (docs/formats/archive.md). Numbers are little-endian.
 *
 *   0   u32  magic, the bytes MARC
 *   4   u8   version 1
 *   5   u8   0
 *   6   u16  0
 *   8   u32  bytes of the entry
 *   12       the entry, JSON in UTF-8
 *            the body: the sealed payload of a segment; nothing of a tombstone
 */
const MAGIC = 0x4352_414d
const VERSION = 1
const HEADER_BYTES = 12
const ENTRY_BYTES_MAX = 64 * 1024 * 1024
/** Most bytes of a payload. */
export const PAYLOAD_BYTES_MAX = 512 * 1024 * 1024
export const OBJECT_BYTES_MAX = HEADER_BYTES + ENTRY_BYTES_MAX + PAYLOAD_BYTES_MAX + SEAL_BYTES

/** Where an entry goes: after the one with hash `previous`. */
export interface EntryPlace extends ChainId {
  readonly seq: number
  readonly previous: string
}

/** An object of a chain, checked against its own checksums. */
export interface ChainObject {
  readonly entry: Entry
  readonly entryJson: string
  readonly hash: string
  readonly body: Buffer
}

/** Encrypts a payload by a data key of its own and makes the object of its segment. */
export function encodeSegment(
  place: EntryPlace,
  facts: SegmentFacts,
  { payload, key, sealedAt }: { readonly payload: Buffer; readonly key: TenantKey; readonly sealedAt: Date },
): Buffer {
  if (payload.length > PAYLOAD_BYTES_MAX)
    throw archiveErrors.ARCHIVE_CORRUPT({ message: `a payload of ${payload.length} bytes is too large for a segment` })
  const dataKey = randomBytes(KEY_BYTES)
  const body = seal(dataKey, payload, bodyContext(place, facts.kind))
  const entry: SegmentEntry = {
    type: 'segment',
    ...pickPlace(place),
    ...facts,
    bytes: payload.length,
    sealedAt: sealedAt.toISOString(),
    keyVersion: key.version,
    wrappedKey: seal(key.key, dataKey, keyContext(place)).toString('base64'),
    body: sha256(body),
  }
  return encode(entry, body)
}

export function encodeTombstone(
  place: EntryPlace,
  {
    reason,
    deleted,
    sealedAt,
  }: { readonly reason: string; readonly deleted: readonly string[]; readonly sealedAt: Date },
): Buffer {
  const entry: TombstoneEntry = {
    type: 'tombstone',
    ...pickPlace(place),
    sealedAt: sealedAt.toISOString(),
    reason,
    deleted,
  }
  return encode(entry, Buffer.alloc(0))
}

function pickPlace({ tenantId, stream, day, seq, previous }: EntryPlace): EntryPlace {
  return { tenantId, stream, day, seq, previous }
}

function encode(entry: Entry, body: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(entry))
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32LE(MAGIC, 0)
  header.writeUInt8(VERSION, 4)
  header.writeUInt32LE(json.length, 8)
  return Buffer.concat([header, json, body])
}

/**
 * Reads an object and checks everything that can be checked without a key: its form, that it belongs to this place, and the checksum of its body.
 * @throws ARCHIVE_CORRUPT, ARCHIVE_TRUNCATED, ARCHIVE_VERSION_UNKNOWN, each with `details.key`
 */
export function decodeObject(key: string, bytes: Buffer, expected: ChainId & { readonly seq: number }): ChainObject {
  const fault = (reason: string) =>
    archiveErrors.ARCHIVE_CORRUPT({ message: `the object ${key} was modified: ${reason}`, details: { key } })
  const truncated = (reason: string) =>
    archiveErrors.ARCHIVE_TRUNCATED({ message: `the object ${key} is truncated: ${reason}`, details: { key } })
  if (bytes.length < HEADER_BYTES) throw truncated(`it has ${bytes.length} bytes`)
  if (bytes.readUInt32LE(0) !== MAGIC) throw fault('it does not begin as an object of the archive')
  if (bytes.readUInt8(4) !== VERSION)
    throw archiveErrors.ARCHIVE_VERSION_UNKNOWN({
      message: `the object ${key} has the format version ${bytes.readUInt8(4)}, and this release knows ${VERSION}`,
      details: { key },
    })
  if (bytes.readUInt8(5) !== 0 || bytes.readUInt16LE(6) !== 0) throw fault('its reserved bytes are not zero')
  const entryEnd = HEADER_BYTES + bytes.readUInt32LE(8)
  if (entryEnd > bytes.length) throw truncated('it ends within its entry')
  const entryBytes = bytes.subarray(HEADER_BYTES, entryEnd)
  const entryJson = entryBytes.toString()
  const entry = parseEntry(entryJson)
  if (typeof entry === 'string') throw fault(entry)
  const { tenantId, stream, day, seq } = expected
  if (entry.tenantId !== tenantId || entry.stream !== stream || entry.day !== day || entry.seq !== seq)
    throw fault('its entry belongs to another place')
  const body = bytes.subarray(entryEnd)
  const bodyBytes = entry.type === 'segment' ? entry.bytes + SEAL_BYTES : 0
  if (body.length < bodyBytes) throw truncated(`its body has ${body.length} of ${bodyBytes} bytes`)
  if (body.length > bodyBytes) throw fault(`${body.length - bodyBytes} bytes follow its body`)
  if (entry.type === 'segment' && sha256(body) !== entry.body) throw fault('its body has another checksum')
  return { entry, entryJson, hash: sha256(entryBytes), body }
}

/** The payload of a segment. @throws ARCHIVE_CORRUPT when the key or any byte is not the one that was written */
export function decryptSegment(key: string, { entry, body }: ChainObject, tenantKey: Buffer): Buffer {
  const fault = (reason: string) =>
    archiveErrors.ARCHIVE_CORRUPT({ message: `the object ${key} cannot be decrypted: ${reason}`, details: { key } })
  if (entry.type !== 'segment') throw fault('it is a tombstone')
  const dataKey = open(tenantKey, Buffer.from(entry.wrappedKey, 'base64'), keyContext(entry))
  if (dataKey?.length !== KEY_BYTES) throw fault('its data key was modified')
  const payload = open(dataKey, body, bodyContext(entry, entry.kind))
  if (payload === undefined) throw fault('its body was modified')
  return payload
}

/** SHA-256 in hexadecimal digits. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

// What a ciphertext belongs to: one that is moved to another place cannot be decrypted there.
function keyContext({ tenantId, stream, day, seq }: Omit<EntryPlace, 'previous'>): string {
  return `millrace archive data key 1\n${tenantId}\n${stream}\n${day}\n${seq}\n`
}

function bodyContext({ tenantId, stream, day, seq, previous }: EntryPlace, kind: string): string {
  return `millrace archive segment 1\n${tenantId}\n${stream}\n${day}\n${seq}\n${previous}\n${kind}\n`
}
