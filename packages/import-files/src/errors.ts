import { defineErrors } from '@millrace/contracts'

/** Every error of this package has one of these codes. */
export const importFilesErrors = defineErrors({
  IMPORT_FORMAT_INVALID: ['invalid', 'the format of the file is not valid'],
  IMPORT_FILE_UNREADABLE: ['invalid', 'the file cannot be read'],
})
