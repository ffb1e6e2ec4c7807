export {
  type AppendRequest,
  type AppendResult,
  Archive,
  type ArchiveDeps,
  type SegmentDraft,
  type StoredSegment,
} from './archive.js'
export { archiveErrors } from './archive-errors.js'
export { findChains, findSegments, type KnownSegment, type SegmentRange } from './chain/chain-table.js'
export { createMasterKeys, type KeyWrapper, parseMasterKeys } from './keys/master-keys.js'
export { TenantKeys, type TenantKeysDeps } from './keys/tenant-keys.js'
export type { ChainId, SegmentEntry, SegmentFacts } from './segment/entry.js'
export { type ChainProblem, type ChainReport, type VerifyDeps, verifyChain } from './verify-chain.js'
