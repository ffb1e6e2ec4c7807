import { S3ServiceException } from '@aws-sdk/client-s3'
import { objectStoreErrors } from '../../object-store-errors.js'

/** Of servers that have no room, among them MinIO and versitygw. */
const FULL_NAMES = new Set(['XMinioStorageFull', 'QuotaExceeded', 'XAdminBucketQuotaExceeded', 'InsufficientStorage'])
/** Time-out, conflict with a request at the same moment, too many requests. */
const PASSING_STATUSES = new Set([408, 409, 429])

/** The HTTP status of an error of the server; undefined for errors of the network. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
}

/** Whether a multipart upload is gone: it was completed or aborted. */
export function isMissingUpload(error: unknown): boolean {
  return error instanceof S3ServiceException && ['NoSuchUpload', 'InvalidPart'].includes(error.name)
}

/** The error of this package for an error of the SDK. */
export function toS3Error(cause: unknown, action: string): Error {
  const status = statusOf(cause)
  const message = `${action}: ${describe(cause)}`
  if (status === 507 || FULL_NAMES.has(nameOf(cause))) return objectStoreErrors.OBJECT_STORE_FULL({ message, cause })
  if (isMissingCredentials(cause)) return objectStoreErrors.OBJECT_STORE_REFUSED({ message, cause })
  // 404 here is a missing bucket: callers handle a missing object themselves. 301 and 307: the bucket is elsewhere.
  if (status !== undefined && status >= 300 && status < 500 && !PASSING_STATUSES.has(status))
    return objectStoreErrors.OBJECT_STORE_REFUSED({ message, cause })
  return objectStoreErrors.OBJECT_STORE_UNAVAILABLE({ message, cause })
}

/** No place of the default chain has a key. What a place that does not answer makes of it has another text. */
function isMissingCredentials(error: unknown): boolean {
  return nameOf(error) === 'CredentialsProviderError' && /Could not load credentials/.test((error as Error).message)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const status = statusOf(error)
  const text = error.message === '' || error.message === 'UnknownError' ? error.name : `${error.name}: ${error.message}`
  return status === undefined ? text : `${text} (HTTP ${status})`
}
