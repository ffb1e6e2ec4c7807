import type { DelimitedFormat } from '../delimited/delimited-format.js'
import type { TextEncoding } from '../encoding/text-encoding.js'
import type { BooleanPair } from '../values/boolean-format.js'
import type { DateOrder } from '../values/date-format.js'
import type { DecimalMark } from '../values/number-format.js'

/** A part of the file, decompressed. */
export interface FileSample {
  /** Bytes of the file before it; 0 for the head. */
  readonly offset: number
  readonly bytes: Buffer
  /** Whether the file ends with it. */
  readonly isEnd: boolean
}

/** A value with its probability by the sample, from 0 to 1. */
export interface Guess<Value> {
  readonly value: Value
  readonly confidence: number
}

export type ColumnFormat =
  | { readonly type: 'text' }
  | { readonly type: 'integer' | 'decimal'; readonly mark: DecimalMark }
  | { readonly type: 'boolean'; readonly texts: BooleanPair }
  | { readonly type: 'date'; readonly order: DateOrder }
  /** `zone` is for values that name none. */
  | { readonly type: 'timestamp'; readonly order: DateOrder; readonly zone: string }
  /** The sample has no value. */
  | { readonly type: 'empty' }

export interface ColumnProposal {
  /** 1 for the first column. */
  readonly position: number
  /** From the header, or of a JSON member, or `column_` and the position. Several columns may have the same name. */
  readonly name: string
  readonly format: ColumnFormat
  /** Share of the sampled values that fit the format. */
  readonly confidence: number
  /** Share of the sampled records without a value. */
  readonly nullShare: number
  /** Up to three different values. */
  readonly examples: readonly string[]
  /** Up to three different values that do not fit the format. */
  readonly misfits: readonly string[]
}

/** What the sample does not decide. A person has to answer; a proposal is never a guess between these. */
export interface Question {
  readonly kind: 'date_order' | 'decimal_mark' | 'header' | 'encoding'
  /** Position of the column, for `date_order` and `decimal_mark`. */
  readonly column: number | undefined
  /** A value of the sample that has several readings; empty when the question is about the file. */
  readonly example: string
  readonly options: readonly { readonly value: string; readonly reading: string }[]
}

interface ProposalBase {
  readonly encoding: Guess<TextEncoding>
  readonly columns: readonly ColumnProposal[]
  readonly questions: readonly Question[]
  readonly sampledRecords: number
  /** Records of the sample that cannot be read in this format. */
  readonly sampledRejects: number
}

/** How to read a file, for a person to confirm or to change. */
export type FileProposal =
  | (ProposalBase & {
      readonly layout: 'delimited'
      readonly delimited: DelimitedFormat
      readonly delimiterConfidence: number
      readonly headerConfidence: number
    })
  | (ProposalBase & { readonly layout: 'lines' | 'array' })
