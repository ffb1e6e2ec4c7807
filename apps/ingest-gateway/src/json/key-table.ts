const SLOTS = 256

/** Finds texts by their bytes without making strings. Built once; look-ups allocate nothing. */
export class KeyTable {
  readonly #first = new Int16Array(SLOTS).fill(-1)
  readonly #next: number[] = []
  readonly #keys: Buffer[] = []
  readonly #ids: number[] = []
  readonly #byText = new Map<string, number>()

  /** `keys` and the id that each stands for, 0 or more; several keys may share one. */
  constructor(keys: Iterable<readonly [key: string, id: number]>) {
    for (const [key, id] of keys) {
      const bytes = Buffer.from(key, 'utf8')
      const slot = slotOf(bytes, 0, bytes.length)
      this.#next.push(this.#first[slot] as number)
      this.#first[slot] = this.#keys.length
      this.#keys.push(bytes)
      this.#ids.push(id)
      this.#byText.set(key, id)
    }
  }

  /** The id of the key whose bytes are `start` to `end` of `bytes`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
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
