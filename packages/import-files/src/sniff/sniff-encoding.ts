import { isUtf8 } from 'node:buffer'
import type { TextEncoding } from '../encoding/text-encoding.js'
import type { FileSample, Guess, Question } from './file-proposal.js'

const MARKS: readonly [TextEncoding, readonly number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
]

/**
 * The encoding by the byte order mark, or by whether the sample is UTF-8. A text with some lines in UTF-8 and others in another encoding is UTF-8 when
 * most of the lines with other characters than ASCII are; the remaining lines will be rejected, and there is a question.
 */
export function sniffEncoding(samples: readonly FileSample[]): {
  encoding: Guess<TextEncoding>
  questions: readonly Question[]
} {
  const head = samples.find(({ offset }) => offset === 0)?.bytes
  for (const [value, mark] of MARKS) {
    if (head !== undefined && mark.every((byte, index) => head[index] === byte)) return sure(value)
  }
  let [valid, invalid] = [0, 0]
  let example = ''
  let hasC1 = false
  for (const line of samples.flatMap(wholeLines)) {
    if (!line.some((byte) => byte >= 0x80)) continue
    if (isUtf8(line)) valid++
    else {
      invalid++
      example ||= line.toString('latin1').slice(0, 80)
      hasC1 ||= line.some((byte) => byte >= 0x80 && byte < 0xa0)
    }
  }
  if (invalid === 0) return { encoding: { value: 'utf-8', confidence: valid > 0 ? 1 : 0.9 }, questions: [] }
  // Latin-1 has control characters where Windows-1252 has quotes and dashes; otherwise the two are the same.
  const single: TextEncoding = hasC1 ? 'windows-1252' : 'iso-8859-1'
  if (valid === 0) return { encoding: { value: single, confidence: 0.8 }, questions: [] }
  const value = valid >= invalid ? 'utf-8' : single
  const options = (['utf-8', single] as const).map((option) => ({ value: option, reading: readingIn(option, example) }))
  return {
    encoding: { value, confidence: Math.max(valid, invalid) / (valid + invalid) },
    questions: [{ kind: 'encoding', column: undefined, example, options }],
  }
}

const sure = (value: TextEncoding) => ({ encoding: { value, confidence: 1 }, questions: [] })

const readingIn = (encoding: TextEncoding, latin1: string): string =>
  encoding === 'utf-8' ? Buffer.from(latin1, 'latin1').toString('utf8') : latin1

/** Lines that the sample holds from their beginning to their end. */
function wholeLines({ bytes, offset, isEnd }: FileSample): Buffer[] {
  const lines: Buffer[] = []
  let start = offset === 0 ? 0 : bytes.indexOf(0x0a) + 1
  if (offset !== 0 && start === 0) return lines
  for (let end = bytes.indexOf(0x0a, start); end >= 0; end = bytes.indexOf(0x0a, start)) {
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  if (isEnd) lines.push(bytes.subarray(start))
  return lines
}
