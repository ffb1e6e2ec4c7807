import type { ObjectVersion } from './object-body.js'

/** The state of a key: an object with the bytes of a version, or no object. */
export type KeyState = ObjectVersion | 'absent'

/**
 * How a change ended: it is done; nothing of it may be there; nobody knows; or, for a put only if the key is absent, another object was there.
 */
export type Outcome = 'done' | 'nothing' | 'unknown' | 'exists'

/** One line of the output of a writer. */
export type WriterLine =
  | { readonly begin: KeyState; readonly key: string; readonly lane: string }
  | { readonly end: Outcome; readonly key: string; readonly lane: string; readonly isLatePossible: boolean }
  | { readonly read: string }
  | { readonly fault: string }

/** The history of one key. A writer that was killed never ends its last change. */
export interface KeyHistory {
  begin(lane: string, change: KeyState): void
  end(lane: string, outcome: Outcome, isLatePossible: boolean): void
  /** Every state in which the key may be now. */
  possible(): KeyState[]
  /** What is wrong with the outcomes themselves; undefined when nothing is. */
  fault(): string | undefined
  /** Changes that have begun and not ended. */
  readonly open: readonly KeyState[]
}

/** A key that one lane changes, one change after another. */
export class OwnedKey implements KeyHistory {
  #states: KeyState[] = ['absent']
  /** Changes of which the server may still have a request that it has not carried out: its client gave up waiting. */
  readonly #late: KeyState[] = []
  open: KeyState[] = []

  begin(_lane: string, change: KeyState): void {
    this.open = [change]
  }

  end(_lane: string, outcome: Outcome, isLatePossible: boolean): void {
    const [change] = this.open
    if (change === undefined) throw new Error('a change ended that had not begun')
    this.open = []
    if (outcome === 'done') this.#states = [change]
    if (outcome === 'unknown') this.#states.push(change)
    if (isLatePossible && outcome !== 'nothing') this.#late.push(change)
  }

  possible(): KeyState[] {
    return [...this.#states, ...this.#late, ...this.open]
  }

  fault(): undefined {
    return undefined
  }
}

/** A key that many lanes put at once, only if it is absent. */
export class RacedKey implements KeyHistory {
  readonly #open = new Map<string, KeyState>()
  readonly #winners: KeyState[] = []
  readonly #unknown: KeyState[] = []
  #hasLosers = false

  begin(lane: string, change: KeyState): void {
    this.#open.set(lane, change)
  }

  end(lane: string, outcome: Outcome): void {
    const change = this.#open.get(lane)
    if (change === undefined) throw new Error('a put ended that had not begun')
    this.#open.delete(lane)
    if (outcome === 'done') this.#winners.push(change)
    if (outcome === 'unknown') this.#unknown.push(change)
    if (outcome === 'exists') this.#hasLosers = true
  }

  get open(): KeyState[] {
    return [...this.#open.values()]
  }

  /** The winner's object never changes. Without a winner it may be that of a put whose outcome is unknown. */
  possible(): KeyState[] {
    if (this.#winners.length > 0) return this.#winners
    const unknown = [...this.#unknown, ...this.open]
    return this.#hasLosers ? unknown : [...unknown, 'absent']
  }

  /** Whether several lanes put the key and one of them won. */
  get isDecided(): boolean {
    return this.#hasLosers && this.#winners.length === 1
  }

  fault(): string | undefined {
    if (this.#winners.length <= 1) return undefined
    return `${this.#winners.length} puts succeeded although each was to succeed only if the key was absent`
  }
}

const RACED = /\/race-/

/** The histories of all keys, from what all writers of a run have printed. */
export class ObjectHistory {
  readonly keys = new Map<string, KeyHistory>()
  readonly faults: string[] = []
  reads = 0

  add(line: WriterLine): void {
    if ('read' in line) this.reads++
    else if ('fault' in line) this.faults.push(line.fault)
    else if ('begin' in line) this.#of(line.key).begin(line.lane, line.begin)
    else this.#of(line.key).end(line.lane, line.end, line.isLatePossible)
  }

  #of(key: string): KeyHistory {
    const known = this.keys.get(key)
    if (known !== undefined) return known
    const history = RACED.test(key) ? new RacedKey() : new OwnedKey()
    this.keys.set(key, history)
    return history
  }
}
