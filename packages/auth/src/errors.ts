import { defineErrors } from '@millrace/contracts'

export const authErrors = defineErrors({
  KEY_MISSING: ['unauthenticated', 'the request carries no API key'],
  KEY_INVALID: ['unauthenticated', 'the API key is not valid'],
  SCOPE_MISSING: ['denied', 'the API key does not have the scope that this request needs'],
  /** The key is not in the cache and the database cannot be reached. */
  KEYS_UNAVAILABLE: ['unavailable', 'the API key cannot be checked because the database cannot be reached'],
  RATE_LIMITED: ['exhausted', 'the tenant exceeds its rate limit'],
  KEY_NOT_FOUND: ['not_found', 'the API key does not exist'],
  KEY_ROTATING: ['conflict', 'the API key was rotated before and its predecessor is still valid'],
  LAST_ADMIN_KEY: [
    'conflict',
    'the key is the last valid key of the tenant with the scope admin: create another one first',
  ],
  SELF_REVOCATION: [
    'conflict',
    'the request would end the key that it is sent with: make sure that you hold another admin key, and add confirm=self to the query string',
  ],
  ADMIN_KEYS_EXPIRE: ['conflict', 'the other admin keys of the tenant expire before this one'],
  TENANT_NOT_FOUND: ['not_found', 'the tenant does not exist'],
  TENANT_EXISTS: ['conflict', 'a tenant with this name exists already'],
  DEVELOPMENT_KEY: ['invalid', 'the development keys must not be used in production'],
})
