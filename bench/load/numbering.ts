/**
 * Every event of a load has a number. Its message id, its user and its values follow from the number and the seed, so a check needs only the stored
 * message ids to know which of the sent events are stored.
 */
export interface Numbering {
  /** Distinguishes the events of one load from those of another. Unsigned, 32 bits. */
  seed: number
  batchEvents: number
  /** A user belongs to one connection, so that its events are sent in order. */
  connections: number
  /** Default 50,000. */
  users?: number | undefined
}

const USERS_DEFAULT = 50_000
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** A bijection of 32-bit numbers with random-looking results: the finalizer of MurmurHash3. */
export function mix32(value: number): number {
  let h = value >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** The inverse of `mix32`. */
export function unmix32(value: number): number {
  let h = value >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x7ed1b41d)
  h = Math.imul(h ^ (h >>> 13) ^ (h >>> 26), 0xa5cb9243)
  return (h ^ (h >>> 16)) >>> 0
}

/** Number of the first event of a batch; batch b is sent by connection b % connections. */
export function firstOfBatch(numbering: Numbering, batch: number): number {
  return batch * numbering.batchEvents
}

/** One of the four 32-bit words of an event's id. The last word alone determines the number. */
export function idWord(seed: number, number: number, word: 0 | 1 | 2 | 3): number {
  const last = mix32((number ^ seed) >>> 0)
  return word === 3 ? last : mix32((last ^ seed) + (word + 1) * 0x9e3779b9)
}

/** The message id of an event, in the form of a random UUID. */
export function messageId(seed: number, number: number): string {
  const hex = [0, 1, 2, 3].map((word) => wordHex(idWord(seed, number, word as 0 | 1 | 2 | 3))).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** The number of the event with this message id, or undefined when it does not belong to the load with this seed. */
export function numberOf(seed: number, id: string): number | undefined {
  const last = Number.parseInt(id.slice(28), 16)
  if (Number.isNaN(last)) return undefined
  const number = (unmix32(last) ^ seed) >>> 0
  return messageId(seed, number) === id ? number : undefined
}

/** The user of an event, 0 to users - 1; low ranks of each connection's users come up more often. */
export function userOf(numbering: Numbering, number: number): number {
  const { batchEvents, connections, users = USERS_DEFAULT, seed } = numbering
  const connection = Math.floor(number / batchEvents) % connections
  const chance = mix32(mix32(number ^ seed) ^ 0x5bd1e995) / 2 ** 32
  return Math.floor(chance * chance * Math.floor(users / connections)) * connections + connection
}

/** The user id as it is sent, of fixed width. */
export function userId(user: number): string {
  return `user-${String(user).padStart(5, '0')}`
}

function wordHex(word: number): string {
  return `${HEX[word >>> 24]}${HEX[(word >>> 16) & 255]}${HEX[(word >>> 8) & 255]}${HEX[word & 255]}`
}
