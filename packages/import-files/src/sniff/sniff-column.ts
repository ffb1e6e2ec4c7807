import type { Cell } from '../records/file-record.js'
import { BOOLEAN_PAIRS, parseBoolean } from '../values/boolean-format.js'
import { DATE_ORDERS, type DateOrder, parseDate } from '../values/date-format.js'
import { type DecimalMark, parseNumber } from '../values/number-format.js'
import type { ColumnFormat, ColumnProposal, Question } from './file-proposal.js'

/** A column has a type when at least this share of its values fits; the others are shown as misfits. */
const SHARE_MIN = 0.9
const EXAMPLES_MAX = 3

interface Candidate {
  readonly format: ColumnFormat
  /** The value in a form in which equal readings are equal; undefined when it does not fit. */
  readonly read: (text: string) => string | undefined
}

const CANDIDATES: readonly Candidate[] = [
  ...BOOLEAN_PAIRS.map((texts) => ({
    format: { type: 'boolean' as const, texts },
    read: (text: string) => parseBoolean(text, texts)?.toString(),
  })),
  ...(['point', 'comma'] as const).map((mark) => ({
    format: { type: 'decimal' as const, mark },
    read: (text: string) => parseNumber(text, mark),
  })),
  ...DATE_ORDERS.map((order) => ({ format: { type: 'date' as const, order }, read: readDate(order) })),
]

function readDate(order: DateOrder) {
  return (text: string) => {
    const parsed = parseDate(text, order)
    return parsed && `${parsed.date} ${parsed.time ?? ''} ${parsed.zone ?? ''}`
  }
}

interface ColumnSample {
  readonly position: number
  readonly name: string
  readonly cells: readonly Cell[]
}

/** The format that all sampled values of a column have in common, and a question when several formats read some of them differently. */
export function sniffColumn({ position, name, cells }: ColumnSample): {
  column: ColumnProposal
  question: Question | undefined
} {
  const values = cells.filter((cell) => cell !== null && cell.trim() !== '') as string[]
  const distinct = [...new Set(values)]
  const fitting = fittingFormats(values, distinct)
  const best = fitting[0]
  const format: ColumnFormat =
    values.length === 0 ? { type: 'empty' } : best === undefined ? { type: 'text' } : refine(best.format, distinct)
  const column: ColumnProposal = {
    position,
    name,
    format,
    confidence: best?.share ?? 1,
    nullShare: cells.length === 0 ? 0 : (cells.length - values.length) / cells.length,
    examples: distinct.slice(0, EXAMPLES_MAX),
    misfits:
      best === undefined ? [] : distinct.filter((value) => best.read(value) === undefined).slice(0, EXAMPLES_MAX),
  }
  return { column, question: findQuestion(position, fitting, distinct) }
}

type Fitting = Candidate & { readonly share: number }

/** Formats with the most fitting values, all with the same share. */
function fittingFormats(values: readonly string[], distinct: readonly string[]): Fitting[] {
  if (values.length === 0) return []
  const fitting: Fitting[] = []
  for (const candidate of CANDIDATES) {
    const misfits = new Set(distinct.filter((value) => candidate.read(value) === undefined))
    const share = misfits.size === 0 ? 1 : values.filter((value) => !misfits.has(value)).length / values.length
    if (share >= SHARE_MIN) fitting.push({ ...candidate, share })
  }
  const most = Math.max(...fitting.map(({ share }) => share))
  const best = fitting.filter(({ share }) => share === most)
  // 1 and 0 are booleans only when there are both of them and nothing else; a column of ones is a number.
  return best[0]?.format.type === 'boolean' && new Set(distinct.map((text) => text.trim().toLowerCase())).size < 2
    ? best.filter(({ format }) => format.type !== 'boolean')
    : best
}

/** Whole numbers and times of day are seen in the values. */
function refine(format: ColumnFormat, distinct: readonly string[]): ColumnFormat {
  if (format.type === 'decimal') {
    const numbers = distinct.map((text) => parseNumber(text, format.mark)).filter((number) => number !== undefined)
    return numbers.every((number) => /^-?\d+$/.test(number)) ? { type: 'integer', mark: format.mark } : format
  }
  if (format.type === 'date' && distinct.some((text) => parseDate(text, format.order)?.time !== undefined))
    return { type: 'timestamp', order: format.order, zone: 'UTC' }
  return format
}

function findQuestion(
  position: number,
  fitting: readonly Fitting[],
  distinct: readonly string[],
): Question | undefined {
  const type = fitting[0]?.format.type
  const rivals = fitting.filter(({ format }) => format.type === type && type !== 'boolean')
  const example = distinct.find((value) => new Set(rivals.map(({ read }) => read(value))).size > 1)
  if (example === undefined) return undefined
  return {
    kind: type === 'date' ? 'date_order' : 'decimal_mark',
    column: position,
    example,
    options: rivals.map(({ format, read }) => ({ value: nameOf(format), reading: (read(example) ?? '').trim() })),
  }
}

const nameOf = (format: ColumnFormat): DecimalMark | DateOrder | '' =>
  format.type === 'decimal' ? format.mark : format.type === 'date' ? format.order : ''

/** Whether a text would be read as something other than a text. */
export const hasType = (text: string): boolean => CANDIDATES.some(({ read }) => read(text) !== undefined)

/** Names of columns may be words for true and false, such as `on` or `y`. */
export const isNumberOrDate = (text: string): boolean =>
  CANDIDATES.some(({ format, read }) => format.type !== 'boolean' && read(text) !== undefined)
