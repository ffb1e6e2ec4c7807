import { importFilesErrors } from '../errors.js'
import type { DelimitedFormat } from './delimited-format.js'

/** @throws IMPORT_FORMAT_INVALID naming the field and what is allowed */
export function checkDelimitedFormat(format: DelimitedFormat): void {
  const { delimiter, quote, columns } = format
  const isOne = (text: string) => /^[\t\x20-\x7e]$/.test(text)
  if (!isOne(delimiter)) throw invalid('delimiter', 'must be one printable ASCII character or a tab')
  if (quote !== '' && !isOne(quote)) throw invalid('quote', 'must be one printable ASCII character, or empty')
  if (quote === delimiter) throw invalid('quote', 'must differ from the delimiter')
  if (format.escape === 'backslash' && (quote === '\\' || delimiter === '\\'))
    throw invalid('escape', 'a backslash cannot be both the escape and the quote or the delimiter')
  if (format.skipSpaces && (delimiter === ' ' || quote === ' '))
    throw invalid('skipSpaces', 'spaces cannot be left out when they are the delimiter or the quote')
  if (!Number.isInteger(columns) || columns < 1) throw invalid('columns', 'must be a whole number from 1')
}

const invalid = (field: string, rule: string): Error =>
  importFilesErrors.IMPORT_FORMAT_INVALID({ message: `${field} ${rule}`, details: { field } })
