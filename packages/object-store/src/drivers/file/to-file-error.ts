import { objectStoreErrors } from '../../object-store-errors.js'

/** A full disk, as quotas, limits of file size and file systems report it. */
const FULL_CODES = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
/** A retry does not help. The last two: the file system has no hard links, which `ifAbsent` needs. */
const REFUSED_CODES = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTSUP', 'ENOSYS'])

/** The system's code of an error of `node:fs`; undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  // Not instanceof: Jest's modules have another class Error than Node's.
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException
  return typeof code === 'string' && typeof syscall === 'string' ? code : undefined
}

/** The error of this package for an error of `node:fs`. */
export function toFileError(cause: unknown, action: string): Error {
  const code = systemCode(cause) ?? ''
  const message = `${action}: ${(cause as Error).message}`
  if (FULL_CODES.has(code)) return objectStoreErrors.OBJECT_STORE_FULL({ message, cause })
  if (REFUSED_CODES.has(code)) return objectStoreErrors.OBJECT_STORE_REFUSED({ message, cause })
  return objectStoreErrors.OBJECT_STORE_UNAVAILABLE({ message, cause })
}
