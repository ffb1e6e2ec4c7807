export type { DelimitedFormat } from './delimited/delimited-format.js'
export { DelimitedReader } from './delimited/delimited-reader.js'
export { writeDelimited } from './delimited/write-delimited.js'
export type { TextEncoding } from './encoding/text-encoding.js'
export { importFilesErrors } from './errors.js'
export type { JsonFormat } from './json/json-format.js'
export { JsonReader } from './json/json-reader.js'
export { type Compression, detectCompression } from './open/decompress.js'
export { type RecordBlock, type RecordFormat, readRecords } from './open/read-records.js'
export {
  type Cell,
  type Checkpoint,
  FILE_START,
  type FileRecord,
  type ReaderLimits,
  type RecordFaultCode,
  type RecordReader,
} from './records/file-record.js'
export type { ColumnFormat, ColumnProposal, FileProposal, FileSample, Guess, Question } from './sniff/file-proposal.js'
export { sniffFile } from './sniff/sniff-file.js'
export { BOOLEAN_PAIRS, type BooleanPair, parseBoolean } from './values/boolean-format.js'
export { DATE_ORDERS, type DateOrder, type ParsedDate, parseDate } from './values/date-format.js'
export { type DecimalMark, parseNumber } from './values/number-format.js'
