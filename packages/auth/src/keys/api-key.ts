import { createHash, randomBytes } from 'node:crypto'

/** A new key: `mr_` and 256 random bits. */
export function generateApiKey(): string {
  return `mr_${randomBytes(32).toString('base64url')}`
}

/** What is stored. Keys are random and long, so one round of SHA-256 is as good as a slow hash. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** By which people recognise a key: its beginning, never more than a third of it. */
export function hintOf(key: string): string {
  return `${key.slice(0, Math.min(7, Math.floor(key.length / 3)))}…`
}
