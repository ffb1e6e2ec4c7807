import { DelimitedReader } from '../delimited/delimited-reader.js'
import type { TextEncoding } from '../encoding/text-encoding.js'
import { createUtf8Converter } from '../encoding/to-utf8.js'
import { JsonReader } from '../json/json-reader.js'
import type { Cell, FileRecord } from '../records/file-record.js'
import type { FileProposal, FileSample, Question } from './file-proposal.js'
import { hasType, isNumberOrDate, sniffColumn } from './sniff-column.js'
import { sniffDelimited } from './sniff-delimited.js'
import { sniffEncoding } from './sniff-encoding.js'

interface SniffOptions {
  /** Names that a header is likely to have, such as the columns of the table. */
  readonly knownNames?: readonly string[]
}

/**
 * Proposes how to read a file, by samples of its head, middle and tail (64 KiB each are enough). Formats of numbers and dates are found from all sampled
 * values of a column, never from a language. What the values do not decide becomes a question. An empty file gives no columns.
 */
export function sniffFile(samples: readonly FileSample[], { knownNames = [] }: SniffOptions = {}): FileProposal {
  const { encoding, questions } = sniffEncoding(samples)
  const texts = samples.map((sample) => wholeRecords(sample, encoding.value))
  const base = { encoding, questions }
  const layout = jsonLayout(texts[0] ?? Buffer.alloc(0))
  return layout === undefined ? proposeDelimited(texts, { base, knownNames }) : proposeJson(texts, { base, layout })
}

type Base = Pick<FileProposal, 'encoding' | 'questions'>

/** The sample as UTF-8, from the first beginning of a line to the last end of one. */
function wholeRecords({ bytes, offset, isEnd }: FileSample, encoding: TextEncoding): Buffer {
  const isWide = encoding === 'utf-16le' || encoding === 'utf-16be'
  const aligned = isWide && offset % 2 === 1 ? bytes.subarray(1) : bytes
  const converter = createUtf8Converter(encoding)
  const text = Buffer.concat([converter.push(aligned), ...(isEnd ? [converter.end()] : [])])
  const ending = text.includes(0x0a) ? 0x0a : 0x0d
  const start = offset === 0 ? 0 : text.indexOf(ending) + 1
  const end = isEnd ? text.length : text.lastIndexOf(ending) + 1
  return text.subarray(start, Math.max(start, end))
}

function jsonLayout(head: Buffer): 'lines' | 'array' | undefined {
  const start = head.subarray(0, 4096).toString('utf8').trimStart()
  if (/^\[\s*(\{|\]|$)/.test(start)) return 'array'
  return /^\{\s*(["}]|$)/.test(start) ? 'lines' : undefined
}

function proposeJson(
  texts: readonly Buffer[],
  { base, layout }: { base: Base; layout: 'lines' | 'array' },
): FileProposal {
  const names = new Set<string>()
  for (const text of texts) {
    for (const record of readJson(text, layout, []))
      if (record.kind === 'record') for (const name of record.otherMembers) names.add(name)
  }
  const columns = [...names]
  const records = texts.flatMap((text) => readJson(text, layout, columns))
  return { layout, ...base, ...describe(records, columns, base.questions) }
}

/** A sample from the middle of a list begins inside it, and may begin inside an object, which is then rejected. */
function readJson(text: Buffer, layout: 'lines' | 'array', columns: readonly string[]): FileRecord[] {
  const reader = new JsonReader({ format: { layout, columns } })
  return [...reader.push(text), ...reader.end()]
}

function proposeDelimited(
  texts: readonly Buffer[],
  { base, knownNames }: { base: Base; knownNames: readonly string[] },
): FileProposal {
  const { format, confidence } = sniffDelimited(texts)
  const records = texts.flatMap((text) => {
    const reader = new DelimitedReader({ format })
    return [...reader.push(text), ...reader.end()]
  })
  const cells = records.flatMap((record) => (record.kind === 'record' ? [record.cells] : []))
  const header = judgeHeader(cells, knownNames)
  const hasHeader = header >= 0.5
  const named = hasHeader ? (cells[0] ?? []) : []
  const names = Array.from(
    { length: cells.length === 0 ? 0 : format.columns },
    (_, index) => named[index]?.trim() || `column_${index + 1}`,
  )
  const data = hasHeader ? records.filter((record) => record.kind !== 'record' || record.cells !== cells[0]) : records
  const question: Question[] =
    header === 0.5
      ? [
          {
            kind: 'header',
            column: undefined,
            example: cells[0]?.join(format.delimiter) ?? '',
            options: [
              { value: 'true', reading: 'names of the columns' },
              { value: 'false', reading: 'the first record' },
            ],
          },
        ]
      : []
  return {
    layout: 'delimited',
    ...base,
    delimited: { ...format, hasHeader },
    delimiterConfidence: confidence,
    headerConfidence: hasHeader ? header : 1 - header,
    ...describe(data, names, [...base.questions, ...question]),
  }
}

const normalise = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')

/** Probability that the first record has names: they are texts and differ from each other, and the column below has another type, or they are known. 0.5: unknown. */
function judgeHeader(records: readonly (readonly Cell[])[], knownNames: readonly string[]): number {
  const [first, ...others] = records
  if (first === undefined) return 0
  const names = first.filter((cell) => cell !== null && cell.trim() !== '') as string[]
  const known = new Set(knownNames.map(normalise))
  const knownShare = names.filter((name) => known.has(normalise(name))).length / Math.max(1, names.length)
  if (knownShare >= 0.5) return 1
  if (names.length === 0 || names.some((name) => isNumberOrDate(name) || name.length > 200)) return 0.05
  if (others.length === 0) return 0.5
  const typed = first.filter((_, column) => isTyped(others, column)).length
  if (typed > 0) return 0.95
  // A value that comes again below is a value.
  const isRepeated = first.some((name, column) => name !== null && others.some((record) => record[column] === name))
  return isRepeated ? 0.1 : 0.5
}

function isTyped(records: readonly (readonly Cell[])[], column: number): boolean {
  const values = records
    .map((record) => record[column])
    .filter((cell) => cell !== null && cell !== undefined && cell !== '')
  return values.length > 0 && values.filter((value) => hasType(value as string)).length >= 0.9 * values.length
}

function describe(records: readonly FileRecord[], names: readonly string[], questions: readonly Question[]) {
  const read = records.flatMap((record) => (record.kind === 'record' ? [record.cells] : []))
  const sniffed = names.map((name, index) =>
    sniffColumn({ position: index + 1, name, cells: read.map((cells) => cells[index] ?? null) }),
  )
  return {
    columns: sniffed.map(({ column }) => column),
    questions: [...questions, ...sniffed.flatMap(({ question }) => (question === undefined ? [] : [question]))],
    sampledRecords: read.length,
    sampledRejects: records.length - read.length,
  }
}
