import type { Database, Statement, Transaction } from '@millrace/database'
import type { WatermarkConfig } from '../../reads/watermark-statement.js'
import { rowsOf } from '../../sql/rows-of.js'
import type { CutWishes } from '../cut-wishes.js'
import {
  type CutPiece,
  FORGET_CUTS,
  FORGET_LATE_CUTS,
  keepWishesStatements,
  MISSING_PIECES,
  packPieceStatement,
} from './cut-pack-statements.js'
import {
  DAYS_A_LOOK,
  deleteMarksStatement,
  FORGET_DROPPED,
  FORGET_UNCHECKED,
  insertDayStatement,
  isPackedStatement,
  LATE_DAYS,
  NOTE_CHECK,
  openDaysStatement,
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
  /** Called after each piece of work with how long it took, in ms; the next one waits for it. Default: none. */
  readonly rest?: (tookMs: number, stopping: AbortSignal) => Promise<void>
}

/** Packs days that are over as they are and as queries have asked for them, and packs again what late events have changed. */
export class DayPacker {
  readonly #config: WatermarkConfig
  readonly #deps: DayPackerDeps
  readonly #stopping = new AbortController()

  constructor(config: WatermarkConfig, deps: DayPackerDeps) {
    this.#config = config
    this.#deps = deps
  }

  /**
   * Does what there is to do, newest days first, a transaction each; resolves to the number of days packed, each cut of one counted. Stops between two
   * when stopped, and after one when queries wait, so that packing goes on however busy it is.
   */
  async pack(): Promise<number> {
    if (!(await this.#keepWishes())) return 0
    let packed = 0
    const doAll = async (found: readonly Work[]) => {
      for (const work of found) if (this.#mayGoOn(packed) && (await this.#doOne(work))) packed++
    }
    let days: readonly Work[]
    do {
      await doAll(await this.#findLate())
      if (!this.#mayGoOn(packed)) return packed
      days = await this.#findOpen()
      await doAll(days)
    } while (days.length === DAYS_A_LOOK && this.#mayGoOn(packed))
    if (this.#mayGoOn(packed)) await doAll(await this.#findPieces())
    return packed
  }

  stop(): void {
    this.#stopping.abort()
  }

  #mayGoOn(packed: number): boolean {
    return !this.#stopping.signal.aborted && (packed === 0 || this.#deps.isBusy?.() !== true)
  }

  async #doOne(work: Work): Promise<boolean> {
    const startedAt = performance.now()
    const isDone = await this.#alone(work)
    if (isDone) await this.#deps.rest?.(performance.now() - startedAt, this.#stopping.signal)
    return isDone
  }

  /** Runs one piece of work unless another instance is at it; false when nothing was done. */
  #alone(work: Work): Promise<boolean> {
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

  /** What late events have changed: a day of a tenant each. */
  async #findLate(): Promise<Work[]> {
    const days = await this.#find<{ tenant_id: number; day: string }>(LATE_DAYS)
    return days.map(({ tenant_id: tenantId, day }) => async (tx) => {
      await tx.pipeline([...SETTINGS, deleteMarksStatement(tenantId, day), packStatement(tenantId, day)])
      return true
    })
  }

  async #findOpen(): Promise<Work[]> {
    const days = await this.#find<{ day: string }>(openDaysStatement(this.#config))
    return days.map(({ day }) => async (tx) => {
      const results = await tx.pipeline([...SETTINGS, isPackedStatement(day)])
      if (rowsOf<{ is_packed: boolean }>(results.at(-1))[0]?.is_packed === true) return false
      await tx.pipeline([packStatement(null, day), insertDayStatement(day)])
      return true
    })
  }

  async #findPieces(): Promise<Work[]> {
    const pieces = await this.#find<CutPiece>(MISSING_PIECES)
    return pieces.map((piece) => async (tx) => {
      await tx.pipeline([...SETTINGS, packPieceStatement(piece)])
      return true
    })
  }

  /** Nothing while another instance is at it. */
  async #find<Row>(statement: Statement): Promise<Row[]> {
    let rows: Row[] = []
    await this.#alone(async (tx) => {
      const [found] = await tx.pipeline([statement])
      rows = rowsOf<Row>(found)
      return true
    })
    return rows
  }
}

/** A day to be packed, or a cut of one; false when that is done already. */
type Work = (tx: Transaction) => Promise<boolean>
