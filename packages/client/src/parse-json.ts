import { MillraceError } from './errors.js'

/** @throws MillraceError INVALID_ANSWER, for instance for a login page that a proxy answers with. */
export function parseJson<T>(text: string): T {
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new MillraceError('the answer is not JSON', {
      code: 'INVALID_ANSWER',
      status: 200,
      isRetryable: false,
      cause,
    })
  }
}
