import { defineErrors } from '@millrace/contracts'

export const authErrors = defineErrors({
  KEY_MISSING: ['unauthenticated', 'the request carries no API key'],
  KEY_INVALID: ['unauthenticated', 'the API key is not valid'],
  SCOPE_MISSING: ['denied', 'the API key may not do this'],
  /** The key is not in the cache and the database cannot be asked. */
  KEYS_UNAVAILABLE: ['unavailable', 'the API key cannot be checked at present'],
  RATE_LIMITED: ['exhausted', 'the tenant is over its rate limit'],
  KEY_NOT_FOUND: ['not_found', 'there is no such API key'],
  KEY_ROTATING: ['conflict', 'the API key has been rotated and its predecessor is still valid'],
  LAST_ADMIN_KEY: ['conflict', 'it is the last valid key of the tenant with scope admin: make another one first'],
  TENANT_NOT_FOUND: ['not_found', 'there is no such tenant'],
  TENANT_EXISTS: ['conflict', 'there is a tenant of this name'],
  DEVELOPMENT_KEY: ['invalid', 'the development keys may not be used in production'],
})
