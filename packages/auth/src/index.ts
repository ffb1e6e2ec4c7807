export { authErrors } from './errors.js'
export { generateApiKey, hashApiKey } from './keys/api-key.js'
export { CONFIRMATIONS, type Confirmation } from './keys/check-revocation.js'
export { type CreatedKey, type CreateKeyRequest, KeyManager, type KeyManagerDeps } from './keys/key-manager.js'
export type { ApiKey } from './keys/key-queries.js'
export {
  createKeyVerifier,
  type KeyVerifier,
  type KeyVerifierConfig,
  type KeyVerifierDeps,
} from './keys/key-verifier.js'
export { parseAuthorization } from './keys/parse-authorization.js'
export { hasScope, type Principal, requireScope, SCOPES, type Scope } from './keys/principal.js'
export { DEVELOPMENT_KEYS, type SeedKeysConfig, type SeedKeysDeps, seedKeys } from './keys/seed-keys.js'
export { createLimitChanges, type LimitChangesDeps } from './limits/limit-changes.js'
export { rateLimited } from './limits/rate-limited.js'
export {
  createRateLimiter,
  type RateLimiter,
  type RateLimiterConfig,
  type RateLimiterDeps,
} from './limits/rate-limiter.js'
export type { TenantLimits } from './limits/tenant-limits.js'
export type { LimitDecision } from './limits/token-bucket.js'
