import { defineErrors } from '@millrace/contracts'

/** The errors of the cache itself. Errors of a loader pass through unchanged. */
export const cacheErrors = defineErrors({
  CACHE_LOAD_TIMEOUT: ['unavailable', 'a cached value could not be loaded in time'],
  CACHE_CLOSED: ['unavailable', 'the cache is closed', { retryable: false }],
  CACHE_OPTIONS: ['invalid', 'the options of the cache are not valid', { retryable: false }],
})
