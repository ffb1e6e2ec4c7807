import type { Database, Statement, Transaction } from '@millrace/database'
import { rowsOf } from '../execute/rows-of.js'
import type { WatermarkConfig } from '../execute/watermark-statement.js'
import {
  type CutPiece,
  FORGET_CUTS,
  FORGET_LATE_CUTS,
  keepWishesStatements,
  MISSING_PIECES,
  packPieceStatement,
} from './cut-pack-statements.js'
import type { CutWishes } from './cut-wishes.js'
import {
  deleteMarksStatement,
  FORGET_DROPPED,
  FORGET_UNCHECKED,
  insertDayStatement,
  LATE_DAYS,
  NOTE_CHECK,
  nextDayStatement,
  packStatement,
} from './pack-statements.js'

/** Held by whoever packs, so that several instances do not do the same. */
const LOCK = 'select pg_try_advisory_xact_lock(7270, 1) as is_mine'

/** Pieces may take long, and sort a day's events. */
const SETTINGS: Statement[] = [
  { text: 'set local statement_timeout = 0' },
  { text: `set local work_mem = '32MB'` },
  { text: 'set local max_parallel_workers_per_gather = 0' },
]

export interface DayPackerDeps {
  readonly database: Pick<Database, 'transaction'>
  /** What queries have asked for. Default: nothing. */
  readonly wishes?: CutWishes
  /** Whether queries wait: then a turn ends after one piece of work. Default: never. */
  readonly isBusy?: () => boolean
}

/** Packs days that are over as they are and as queries have asked for them, and packs again what late events have changed. */
export class DayPacker {
  readonly #config: WatermarkConfig
  readonly #deps: DayPackerDeps
  #isStopped = false

  constructor(config: WatermarkConfig, deps: DayPackerDeps) {
    this.#config = config
    this.#deps = deps
  }

  /**
   * Does what there is to do, newest days first, a transaction each; resolves to the number of days packed, each cut of one counted. Stops between two
   * when stopped, and after one when queries wait, so that packing goes on however busy it is.
   */
  async pack(): Promise<number> {
    let packed = 0
    if (!(await this.#keepWishes())) return packed
    while (this.#mayGoOn(packed) && (await this.#alone((tx) => this.#packNext(tx)))) packed++
    if (!this.#mayGoOn(packed)) return packed
    let pieces: CutPiece[] = []
    await this.#alone(async (tx) => {
      const [found] = await tx.pipeline([MISSING_PIECES])
      pieces = rowsOf<CutPiece>(found)
      return true
    })
    for (const piece of pieces) {
      if (!this.#mayGoOn(packed) || !(await this.#alone((tx) => this.#packPiece(tx, piece)))) break
      packed++
    }
    return packed
  }

  stop(): void {
    this.#isStopped = true
  }

  #mayGoOn(packed: number): boolean {
    return !this.#isStopped && (packed === 0 || this.#deps.isBusy?.() !== true)
  }

  /** Runs one piece of work unless another instance is at it; false when there was nothing to do. */
  #alone(work: (tx: Transaction) => Promise<boolean>): Promise<boolean> {
    return this.#deps.database.transaction(
      async (tx) => {
        const { rows } = await tx.query<{ is_mine: boolean }>(LOCK)
        return rows[0]?.is_mine === true && (await work(tx))
      },
      { isolation: 'repeatable read' },
    )
  }

  async #keepWishes(): Promise<boolean> {
    const { wishes } = this.#deps
    const taken = wishes?.take() ?? []
    let isKept = false
    try {
      isKept = await this.#alone(async (tx) => {
        const kept = taken.length === 0 ? [] : keepWishesStatements(taken)
        await tx.pipeline([...kept, FORGET_CUTS, FORGET_UNCHECKED, FORGET_DROPPED, FORGET_LATE_CUTS, NOTE_CHECK])
        return true
      })
      return isKept
    } finally {
      if (!isKept) wishes?.giveBack(taken)
    }
  }

  async #packNext(tx: Transaction): Promise<boolean> {
    const results = await tx.pipeline([...SETTINGS, nextDayStatement(this.#config), LATE_DAYS])
    const [next, late] = results.slice(SETTINGS.length)
    const [changed] = rowsOf<{ tenant_id: number; day: string }>(late)
    if (changed !== undefined) {
      await tx.pipeline([
        deleteMarksStatement(changed.tenant_id, changed.day),
        packStatement(changed.tenant_id, changed.day),
      ])
      return true
    }
    const [day] = rowsOf<{ day: string }>(next)
    if (day === undefined) return false
    await tx.pipeline([packStatement(null, day.day), insertDayStatement(day.day)])
    return true
  }

  async #packPiece(tx: Transaction, piece: CutPiece): Promise<boolean> {
    await tx.pipeline([...SETTINGS, packPieceStatement(piece)])
    return true
  }
}
