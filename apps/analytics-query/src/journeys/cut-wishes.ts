import { HOUR_MS } from '@millrace/contracts'

/** A way of packing days that queries have asked for. */
export interface CutWish {
  readonly tenantId: number
  readonly event: string
  readonly cut: string
  /** The first day asked for, as 2026-11-21. */
  readonly fromDay: string
}

/** So long one is not told again that it is asked for. */
const TOLD_MS = HOUR_MS
/** Then all are told anew; each may be some kilobytes. */
const KNOWN_MAX = 2_000
/** More are not noted before these were taken: whoever asks again wishes again. */
const WAITING_MAX = 1_000

/** Remembers what queries of this process need of packed days, for whoever packs. */
export class CutWishes {
  readonly #now: () => number
  readonly #known = new Map<string, { readonly fromDay: string; readonly atMs: number }>()
  #waiting: CutWish[] = []
  #listener: (() => void) | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  /** Called at each one that is new. */
  onNew(listener: () => void): void {
    this.#listener = listener
  }

  note(wish: CutWish): void {
    const key = JSON.stringify([wish.tenantId, wish.event, wish.cut])
    const known = this.#known.get(key)
    const isEarlier = known === undefined || wish.fromDay < known.fromDay
    if (!isEarlier && this.#now() - known.atMs < TOLD_MS) return
    if (this.#waiting.length >= WAITING_MAX) return
    if (this.#known.size >= KNOWN_MAX) this.#known.clear()
    this.#known.set(key, { fromDay: isEarlier ? wish.fromDay : known.fromDay, atMs: this.#now() })
    this.#waiting.push(wish)
    if (isEarlier) this.#listener?.()
  }

  /** Those that were not told yet. */
  take(): readonly CutWish[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  /** They could not be kept: they are told again. */
  giveBack(wishes: readonly CutWish[]): void {
    this.#waiting = [...wishes, ...this.#waiting].slice(0, WAITING_MAX)
  }
}
