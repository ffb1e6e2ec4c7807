import type { Database } from '@millrace/database'
import type { ObjectStore } from '@millrace/object-store'
import type { Entity } from '../entities/entity.js'
import type { ImportJob } from '../jobs/import-job.js'
import type { StagingTable } from '../staging/staging-table.js'

/** What all stages of one job need. */
export interface StageContext {
  readonly job: ImportJob
  readonly entity: Entity
  readonly staging: StagingTable
  readonly database: Database
  readonly sources: Pick<ObjectStore, 'get'>
  /** Ends what is running: a person wants to pause or cancel, or the worker stops or has lost the job. */
  readonly signal: AbortSignal
  readonly now: () => number
}

/** A reject, as it is stored. */
export interface StoredReject {
  readonly record: number
  readonly fault: number
  readonly line: number
  readonly code: string
  readonly column: string | null
  readonly reason: string
  readonly value: string | null
}
