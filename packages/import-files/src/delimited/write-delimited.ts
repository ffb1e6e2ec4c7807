import type { Cell } from '../records/file-record.js'
import type { DelimitedFormat } from './delimited-format.js'

type WriteFormat = Pick<DelimitedFormat, 'delimiter' | 'quote' | 'escape' | 'nullText' | 'skipSpaces'>

/**
 * Writes one record, with LF, so that `DelimitedReader` gives the same cells with the same format, if the format has a quote. Cells are in quotes only
 * where that is needed.
 */
export function writeDelimited(cells: readonly Cell[], format: WriteFormat): string {
  const texts = cells.map((cell) => writeCell(cell, format))
  // A line without text is no record.
  if (texts.length === 1 && texts[0] === '' && format.quote !== '') texts[0] = format.quote + format.quote
  return `${texts.join(format.delimiter)}\n`
}

function writeCell(cell: Cell, { delimiter, quote, escape: style, nullText, skipSpaces }: WriteFormat): string {
  if (cell === null) return nullText
  const isPlain =
    quote === '' ||
    (cell !== nullText &&
      !cell.includes(delimiter) &&
      !cell.includes(quote) &&
      !/[\r\n]/.test(cell) &&
      !(skipSpaces && /^ | $/.test(cell)))
  if (isPlain) return cell
  if (style === 'double') return quote + cell.replaceAll(quote, quote + quote) + quote
  return quote + cell.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`) + quote
}
