import { createHash, timingSafeEqual } from 'node:crypto'
import { DecodeFault } from '../../fields/decode-fault.js'
import { createNotes } from '../../fields/decode-notes.js'
import { MsgpackReader } from '../msgpack-reader.js'
import { packArray, packBinary, packBoolean, packMap, packText } from '../msgpack-writer.js'

/** The first message of a connection: the nonce that the client must use. `auth` is empty, so no user name and password are asked for. */
export function packHelo(nonce: Buffer): Buffer {
  return packArray(
    packText('HELO'),
    packMap({ nonce: packBinary(nonce), auth: packText(''), keepalive: packBoolean(true) }),
  )
}

/** The answer to PING. */
export interface PingResult {
  /** The shared key that the client knows; undefined when it knows none of them, and the connection must be closed. */
  readonly key: string | undefined
  /** PONG, to be sent in both cases. */
  readonly pong: Buffer
}

/**
 * Checks a client's PING: `['PING', host name, salt, sha512 of salt + host name + nonce + key in hex, user, password]`.
 * @throws DecodeFault when the message is no PING
 */
export function checkPing(
  message: Buffer,
  { nonce, keys, hostname }: { readonly nonce: Buffer; readonly keys: readonly string[]; readonly hostname: string },
): PingResult {
  const reader = new MsgpackReader(message, createNotes(), 1)
  const length = reader.arrayLength()
  const parts = length === 6 ? Array.from({ length }, () => reader.rawText()) : []
  const [kind, client, salt, digest] = parts
  if (kind?.toString() !== 'PING' || client === undefined || salt === undefined || digest === undefined)
    throw new DecodeFault('invalid_record', 'the first message of a connection must be PING, with the shared key')
  // Every key is tried, so that the time does not tell which one it is.
  let known: string | undefined
  for (const key of keys) if (isEqual(digest, digestOf(salt, client, nonce, key))) known = key
  const server = Buffer.from(hostname)
  const pong = packArray(
    packText('PONG'),
    packBoolean(known !== undefined),
    packText(known === undefined ? 'shared_key mismatch' : ''),
    packText(known === undefined ? '' : server),
    packText(known === undefined ? '' : digestOf(salt, server, nonce, known)),
  )
  return { key: known, pong }
}

function digestOf(...parts: readonly (Buffer | string)[]): string {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

function isEqual(digest: Buffer, expected: string): boolean {
  return digest.length === expected.length && timingSafeEqual(digest, Buffer.from(expected))
}
