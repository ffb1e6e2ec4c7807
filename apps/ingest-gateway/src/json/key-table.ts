const SLOTS = 256
/** With more keys the chains of a slot may be long, also on purpose, so a Map is used instead. */
const CHAINED_KEYS_MAX = 128

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Finds the number of a key by the key's bytes. Built once; look-ups create no strings. */
export class KeyTable {
  readonly #first = new Int16Array(SLOTS).fill(-1)
  readonly #next: number[] = []
  readonly #keys: Buffer[] = []
  readonly #ids: number[] = []
  readonly #byText = new Map<string, number>()

  /** Keys with their ids, which are 0 or greater. Several keys may share an id. */
  constructor(keys: Iterable<readonly [key: string, id: number]>) {
    for (const [key, id] of keys) {
      this.#byText.set(key, id)
      if (this.#byText.size > CHAINED_KEYS_MAX) continue
      const bytes = Buffer.from(key, 'utf8')
      const slot = slotOf(bytes, 0, bytes.length)
      this.#next.push(this.#first[slot] as number)
      this.#first[slot] = this.#keys.length
      this.#keys.push(bytes)
      this.#ids.push(id)
    }
  }

  /** The id of the key in bytes `start` to `end`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    if (this.#byText.size > CHAINED_KEYS_MAX) return this.findText(decoder.decode(bytes.subarray(start, end)))
    let entry = this.#first[slotOf(bytes, start, end)] as number
    while (entry >= 0) {
      if (isEqual(this.#keys[entry] as Buffer, bytes, start, end)) return this.#ids[entry] as number
      entry = this.#next[entry] as number
    }
    return -1
  }

  /** The id of a key, or -1. */
  findText(key: string): number {
    return this.#byText.get(key) ?? -1
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return 0
  return ((end - start) * 31 + (bytes[start] as number) * 7 + (bytes[end - 1] as number)) & (SLOTS - 1)
}

function isEqual(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start
  if (key.length !== length) return false
  for (let i = 0; i < length; i++) {
    if (key[i] !== bytes[start + i]) return false
  }
  return true
}
