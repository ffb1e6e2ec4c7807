import { MillraceError } from './errors.js'

/** @throws MillraceError with the code INVALID_ANSWER, for example for the login page of a proxy */
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
