export { entities } from './entities/entities.js'
export type { Entity, EntityColumn } from './entities/entity.js'
export { importErrors } from './errors.js'
export type {
  DuplicateRule,
  ImportCounts,
  ImportJob,
  ImportMode,
  ImportSettings,
  ImportState,
} from './jobs/import-job.js'
export { addJob, askJob, claimJob, readJob } from './jobs/job-statements.js'
export type { MappedColumn, Mapping, TransformStep } from './mapping/mapping.js'
export type { RejectCode } from './mapping/reject.js'
export { LEASE, runJob } from './stages/run-job.js'
