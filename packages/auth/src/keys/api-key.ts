import { createHash, randomBytes } from 'node:crypto'

/** A new key: `mr_` and 256 random bits. */
export function generateApiKey(): string {
  return `mr_${randomBytes(32).toString('base64url')}`
}

/** The hash that is stored. Keys are long and random, so one round of SHA-256 is as safe as a slow hash. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** The beginning of a key, by which people recognise it: at most a third of the key. */
export function hintOf(key: string): string {
  return `${key.slice(0, Math.min(7, Math.floor(key.length / 3)))}…`
}
