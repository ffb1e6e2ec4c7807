import { S3ServiceException } from '@aws-sdk/client-s3'
import { objectStoreErrors } from '../../object-store-errors.js'

/** The HTTP status of an error of the server; undefined for errors of the network. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
}

/** The error of this package for an error of the SDK. */
export function toS3Error(cause: unknown, action: string): Error {
  const status = statusOf(cause)
  const message = `${action}: ${describe(cause)}`
  if (status === 507) return objectStoreErrors.OBJECT_STORE_FULL({ message, cause })
  // 404 here is a missing bucket: callers handle a missing object themselves.
  if (status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429)
    return objectStoreErrors.OBJECT_STORE_REFUSED({ message, cause })
  return objectStoreErrors.OBJECT_STORE_UNAVAILABLE({ message, cause })
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const status = statusOf(error)
  const text = error.message === '' || error.message === 'UnknownError' ? error.name : `${error.name}: ${error.message}`
  return status === undefined ? text : `${text} (HTTP ${status})`
}
