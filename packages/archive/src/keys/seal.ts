import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

export const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** What `seal` adds to the length of its plaintext. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES

/**
 * Encrypts by AES-256-GCM: nonce, ciphertext, tag. `context` is authenticated and not stored: `open` needs the same one.
 *
 * A nonce must never be used twice with one key. A data key encrypts a single segment, so it has one nonce ever. Tenant keys and master keys wrap other
 * keys with random nonces of 96 bits: after 2^32 of them the chance of a repeated one is still below 2^-32 (NIST SP 800-38D, 8.3), and a segment a
 * second makes 2^28 in seven years.
 */
export function seal(key: Buffer, plaintext: Buffer, context: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(context))
  const encrypted = cipher.update(plaintext)
  cipher.final()
  return Buffer.concat([nonce, encrypted, cipher.getAuthTag()])
}

/** Decrypts what `seal` made. Undefined when key, bytes or context are not the same. */
export function open(key: Buffer, sealed: Buffer, context: string): Buffer | undefined {
  if (sealed.length < SEAL_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(context))
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES))
  try {
    decipher.final()
    return plaintext
  } catch {
    return undefined
  }
}
