import type { Readable } from 'node:stream'
import type { DelimitedFormat } from '../delimited/delimited-format.js'
import { DelimitedReader } from '../delimited/delimited-reader.js'
import type { TextEncoding } from '../encoding/text-encoding.js'
import { createUtf8Converter } from '../encoding/to-utf8.js'
import { importFilesErrors } from '../errors.js'
import type { JsonFormat } from '../json/json-format.js'
import { JsonReader } from '../json/json-reader.js'
import { type Checkpoint, FILE_START, type FileRecord, type ReaderLimits } from '../records/file-record.js'
import { type Compression, decompress } from './decompress.js'

export type RecordFormat = ({ readonly layout: 'delimited' } & DelimitedFormat) | JsonFormat

interface FileToRead {
  /** The file from its first byte, as it was uploaded. It is destroyed at the end, also when the caller stops early. */
  readonly source: Readable
  readonly compression: Compression
  readonly encoding: TextEncoding
  readonly format: RecordFormat
  /** Where to go on. What is before it is decompressed and dropped. */
  readonly from?: Checkpoint
  readonly limits?: Partial<ReaderLimits>
  /** The content, decompressed and as UTF-8, may have at most this size. Default: no limit. */
  readonly textBytesMax?: number
}

export interface RecordBlock {
  readonly records: readonly FileRecord[]
  /** The place after these records. */
  readonly checkpoint: Checkpoint
}

/**
 * The records of a file in blocks of about 64 KiB of text, in order. Nothing more is read until the caller asks for the next block.
 * @throws IMPORT_FILE_UNREADABLE after the records before the fault; IMPORT_FORMAT_INVALID
 */
export async function* readRecords(file: FileToRead): AsyncGenerator<RecordBlock> {
  const {
    source,
    compression,
    encoding,
    from = FILE_START,
    limits = {},
    textBytesMax = Number.POSITIVE_INFINITY,
  } = file
  const reader = createRecordReader(file.format, { from, limits })
  const converter = createUtf8Converter(encoding)
  let bytes = 0
  const take = (text: Buffer): RecordBlock => {
    const skipped = Math.min(text.length, Math.max(0, from.offset - bytes))
    bytes += text.length
    if (bytes > textBytesMax) {
      const message = `the content of the file is larger than ${textBytesMax} bytes after decompression`
      throw importFilesErrors.IMPORT_FILE_UNREADABLE({ message })
    }
    return { records: reader.push(text.subarray(skipped)), checkpoint: reader.checkpoint }
  }
  for await (const piece of decompress(source, compression)) {
    const block = take(converter.push(piece))
    if (block.records.length > 0) yield block
  }
  const last = take(converter.end())
  const records = [...last.records, ...reader.end()]
  if (bytes < from.offset) {
    const message = `the file has ${bytes} bytes of text, and reading was to go on after ${from.offset}: it is another file`
    throw importFilesErrors.IMPORT_FILE_UNREADABLE({ message })
  }
  yield { records, checkpoint: reader.checkpoint }
}

function createRecordReader(format: RecordFormat, config: { from: Checkpoint; limits: Partial<ReaderLimits> }) {
  return format.layout === 'delimited'
    ? new DelimitedReader({ format, ...config })
    : new JsonReader({ format, ...config })
}
