/** How the records of a CSV or TSV file are written. */
export interface DelimitedFormat {
  /** One ASCII character. */
  readonly delimiter: string
  /** One ASCII character, or an empty text if cells are never quoted. */
  readonly quote: string
  /** How a quote inside quotes is written: twice, or after a backslash (then a backslash is written as two). */
  readonly escape: 'double' | 'backslash'
  /** `lf`: each record ends with LF or CR LF, and a CR without LF is text. `cr`: CR ends records too. */
  readonly lineEnding: 'lf' | 'cr'
  /** Cells in each record. Further cells are allowed when they are empty. */
  readonly columns: number
  /** What becomes of a record that has fewer cells: it is rejected, or the cells are null. */
  readonly missingCells: 'reject' | 'null'
  /** A cell without quotes that is this text is null; by default the empty text, so that `,,` is null and `,"",` is an empty text. */
  readonly nullText: string
  /** Whether spaces around a quoted cell are left out; otherwise a quote after a space is text. */
  readonly skipSpaces: boolean
  /** Whether the first record has the names of the columns; it is then not returned. */
  readonly hasHeader: boolean
}
