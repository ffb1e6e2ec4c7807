import type { Database, Transaction } from '@millrace/database'
import type { WatermarkConfig } from '../execute/watermark-statement.js'
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

/** Packs days that are over, and packs those again that late events have changed. */
export class DayPacker {
  readonly #config: WatermarkConfig
  readonly #database: Pick<Database, 'transaction'>
  #isStopped = false

  constructor(config: WatermarkConfig, { database }: { readonly database: Pick<Database, 'transaction'> }) {
    this.#config = config
    this.#database = database
  }

  /** Does what there is to do, newest days first, a transaction each; resolves to the number of days packed. Stops between two when stopped. */
  async pack(): Promise<number> {
    let packed = 0
    if (!(await this.#alone((tx) => this.#check(tx)))) return packed
    while (!this.#isStopped && (await this.#alone((tx) => this.#packNext(tx)))) packed++
    return packed
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Runs one piece of work unless another instance is at it; false when there was nothing to do. */
  #alone(work: (tx: Transaction) => Promise<boolean>): Promise<boolean> {
    return this.#database.transaction(
      async (tx) => {
        const { rows } = await tx.query<{ is_mine: boolean }>(LOCK)
        return rows[0]?.is_mine === true && (await work(tx))
      },
      { isolation: 'repeatable read' },
    )
  }

  async #check(tx: Transaction): Promise<boolean> {
    await tx.pipeline([FORGET_UNCHECKED, FORGET_DROPPED, NOTE_CHECK])
    return true
  }

  async #packNext(tx: Transaction): Promise<boolean> {
    const [, next, late] = await tx.pipeline([
      { text: 'set local statement_timeout = 0' },
      nextDayStatement(this.#config),
      LATE_DAYS,
    ])
    const [changed] = (late?.rows ?? []) as unknown as { tenant_id: number; day: string }[]
    if (changed !== undefined) {
      await tx.pipeline([
        deleteMarksStatement(changed.tenant_id, changed.day),
        packStatement(changed.tenant_id, changed.day),
      ])
      return true
    }
    const [day] = (next?.rows ?? []) as unknown as { day: string }[]
    if (day === undefined) return false
    await tx.pipeline([packStatement(null, day.day), insertDayStatement(day.day)])
    return true
  }
}
