import { defineErrors } from '@millrace/contracts'

/** Every error of this package that is not an error of the object store or of the database. `details.key` names the object. */
export const archiveErrors = defineErrors({
  ARCHIVE_CORRUPT: ['internal', 'an object of the archive is not what was written'],
  ARCHIVE_TRUNCATED: ['internal', 'an object of the archive is shorter than what was written'],
  ARCHIVE_VERSION_UNKNOWN: ['internal', 'an object of the archive has a format that this release does not know'],
  ARCHIVE_SEGMENT_MISSING: ['not_found', 'a segment of the archive does not exist'],
  ARCHIVE_KEY_MISSING: ['internal', 'a key that is needed to read the archive is missing'],
  ARCHIVE_KEY_INVALID: ['invalid', 'a master key is not valid'],
})
