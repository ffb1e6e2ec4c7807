import type { DelimitedFormat } from '../delimited/delimited-format.js'
import { DelimitedReader } from '../delimited/delimited-reader.js'
import { DelimitedScanner, sentinelBytes } from '../delimited/delimited-scanner.js'
import { PendingBytes } from '../records/pending-bytes.js'
import { hasType } from './sniff-column.js'

/** In this order when nothing else decides. */
const DELIMITERS = [',', '\t', ';', '|']
const CELLS_MAX = 2000
const BASE: DelimitedFormat = {
  delimiter: ',',
  quote: '"',
  escape: 'double',
  lineEnding: 'lf',
  columns: 1,
  missingCells: 'reject',
  nullText: '',
  skipSpaces: false,
  hasHeader: false,
}

interface Score {
  readonly format: DelimitedFormat
  /** Share of the records that have the most frequent number of cells. */
  readonly share: number
  readonly faults: number
  readonly quotedCells: number
}

/** Texts must be UTF-8 and begin with a record. */
export function sniffDelimited(texts: readonly Buffer[]): { format: DelimitedFormat; confidence: number } {
  const lineEnding =
    texts.some((text) => text.includes(0x0a)) || !texts.some((text) => text.includes(0x0d)) ? 'lf' : 'cr'
  const scores = DELIMITERS.map((delimiter) => score(texts, { ...BASE, lineEnding, delimiter }))
  const ranked = scores
    .map((one, index) => ({
      one,
      rank: one.format.columns > 1 ? one.share + typedShare(texts, one.format) / 4 - index / 1000 : 0,
    }))
    .toSorted((a, b) => b.rank - a.rank)
  const best = ranked[0] as (typeof ranked)[number]
  if (best.rank === 0) return { format: { ...BASE, lineEnding }, confidence: 0.5 }
  const second = ranked[1]?.rank ?? 0
  // A second delimiter that fits as well halves the confidence.
  const confidence = best.one.share * (1 - 0.5 * Math.min(1, second / best.rank) ** 8)
  return { format: refine(texts, best.one), confidence }
}

/** Tries single quotes, backslashes and spaces around quotes; each is taken only if it is used and more of the text can be read with it. */
function refine(texts: readonly Buffer[], first: Score): DelimitedFormat {
  let best = first
  const changes: Partial<DelimitedFormat>[] = [{ quote: "'" }, { escape: 'backslash' }, { skipSpaces: true }]
  for (const change of changes) {
    if (change.quote !== undefined && best.quotedCells > 0) continue
    const tried = score(texts, { ...best.format, ...change })
    const isBetter = tried.faults < best.faults || (tried.faults === best.faults && tried.share > best.share)
    const isUsed =
      change.quote === undefined
        ? isBetter
        : tried.quotedCells > 1 && tried.faults <= best.faults && tried.share >= best.share
    if (isUsed) best = tried
  }
  return best.format
}

function score(texts: readonly Buffer[], format: DelimitedFormat): Score {
  const counts = new Map<number, number>()
  let [records, faults, quotedCells] = [0, 0, 0]
  const scanner = new DelimitedScanner(format, CELLS_MAX)
  for (const text of texts) {
    const pending = new PendingBytes(sentinelBytes(format))
    pending.replace(0, text)
    const { bytes, end } = pending
    for (let at = 0; at < end; ) {
      const result = scanner.scan(bytes, at, { end, isLast: true })
      if (result !== 'record') {
        faults++
        const next = bytes.indexOf(0x0a, at)
        at = next < 0 || next >= end ? end : next + 1
        continue
      }
      if (scanner.end > at) {
        records++
        counts.set(scanner.count, (counts.get(scanner.count) ?? 0) + 1)
        for (let cell = 0; cell < Math.min(scanner.count, CELLS_MAX); cell++)
          if (scanner.quoted[cell] !== 0) quotedCells++
      }
      at = scanner.next
    }
  }
  const [columns, most] = [...counts].toSorted((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [1, 0]
  return { format: { ...format, columns }, share: most / Math.max(1, records + faults), faults, quotedCells }
}

/** Share of the cells that are numbers, dates or booleans: a wrong delimiter cuts them in pieces that are none, or leaves several in one cell. */
function typedShare(texts: readonly Buffer[], format: DelimitedFormat): number {
  const [first] = texts
  if (first === undefined) return 0
  const reader = new DelimitedReader({ format })
  const records = [...reader.push(first.subarray(0, 16_384)), ...reader.end()].slice(0, 50)
  const cells = records
    .flatMap((record) => (record.kind === 'record' ? record.cells : []))
    .filter((cell) => cell !== null)
  return cells.length === 0 ? 0 : cells.filter(hasType).length / cells.length
}
