import { coreErrors, isMillraceError, type MillraceError, toMillraceError } from '@millrace/contracts'

/** Turns errors of Express and its body parsers into ours. */
export function toHttpError(error: unknown): MillraceError {
  if (isMillraceError(error)) return error
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown }
  if (type === 'entity.too.large') return coreErrors.BODY_TOO_LARGE({ cause: error, details: readLimit(error) })
  if (type === 'encoding.unsupported' || type === 'charset.unsupported')
    return coreErrors.UNSUPPORTED_ENCODING({ cause: error })
  if (type === 'entity.parse.failed')
    return coreErrors.MALFORMED_BODY({ message: describeParseError(error), cause: error })
  if (typeof status === 'number' && status >= 400 && status < 500) return coreErrors.INVALID_REQUEST({ cause: error })
  return toMillraceError(error)
}

function readLimit(error: unknown): Record<string, unknown> {
  return { limit_bytes: (error as { limit?: unknown }).limit }
}

/** The message of JSON.parse contains the position, but may also quote the body, which must not appear in a response. */
function describeParseError(error: unknown): string {
  const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
  return position === undefined ? 'the body is not valid JSON' : `the body is not valid JSON at position ${position}`
}
