import { findText, mayHaveInJson } from '@millrace/column-store'
import type { Need } from './compiled-query.js'
import type { LogRows } from './log-rows.js'
import { attributesHave } from './match-text.js'
import type { ChunkColumn } from './stored-chunk.js'

/** The lines that fulfil a need: one byte each, 1 where they do. The answer is that of `meets` for each line, found on columns. */
export function neededRows(rows: LogRows, need: Need): Uint8Array {
  switch (need.kind) {
    case 'text':
      return rowsWithText(rows, need)
    case 'equals':
      return rowsWithValue(rows, need)
    case 'token':
      return new Uint8Array(rows.count).fill(1)
    case 'any': {
      const found = new Uint8Array(rows.count)
      for (const one of need.of) {
        const more = neededRows(rows, one)
        for (let row = 0; row < found.length; row++) found[row] = (found[row] as number) | (more[row] as number)
      }
      return found
    }
    case 'all': {
      const found = new Uint8Array(rows.count).fill(1)
      for (const one of need.of) {
        if (!found.includes(1)) break
        const more = neededRows(rows, one)
        for (let row = 0; row < found.length; row++) found[row] = (found[row] as number) & (more[row] as number)
      }
      return found
    }
  }
}

function rowsWithText(rows: LogRows, need: Extract<Need, { kind: 'text' }>): Uint8Array {
  const found = need.in === 'attributes' ? new Uint8Array(rows.count) : findText(rows.columns('message'), need)
  if (need.in === 'message') return found
  const attributes = rows.columns('attributes')
  const candidates = mayHaveInJson(attributes, need)
  for (let row = 0; row < found.length; row++) {
    if (found[row] === 1 || candidates[row] === 0) continue
    const json = attributes.view(row)
    if (json !== null && attributesHave(json.toString('utf8'), need)) found[row] = 1
  }
  return found
}

const COLUMN_OF = { traceId: 'trace', spanId: 'span' } as const

function rowsWithValue(rows: LogRows, { column, value }: Extract<Need, { kind: 'equals' }>): Uint8Array {
  const found = new Uint8Array(rows.count)
  if (column === 'host') {
    const { dictionary, ids } = rows.columns('host')
    const wanted = Buffer.from(value)
    let start = 0
    const matching = Array.from(dictionary.ends, (end) => {
      const isEqual = dictionary.bytes.subarray(start, end).equals(wanted)
      start = end
      return isEqual
    })
    for (let row = 0; row < found.length; row++) if (matching[ids[row] as number] === true) found[row] = 1
    return found
  }
  const { bytes, width, presence } = rows.columns(COLUMN_OF[column])
  const wanted = Buffer.from(value, 'hex')
  const isAbsent = (row: number) => presence !== undefined && presence[row] === 0
  if (wanted.length !== width) {
    // No value at all is the empty text.
    if (value === '') for (let row = 0; row < found.length; row++) found[row] = isAbsent(row) ? 1 : 0
    return found
  }
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) {
    const row = at / width
    if (Number.isInteger(row) && !isAbsent(row)) found[row] = 1
  }
  return found
}

/** The columns that `neededRows` reads. */
export function columnsOfNeed(need: Need | undefined): ChunkColumn[] {
  if (need === undefined || need.kind === 'token') return []
  if (need.kind === 'equals') return [need.column === 'host' ? 'host' : COLUMN_OF[need.column]]
  if (need.kind === 'text') return need.in === undefined ? ['message', 'attributes'] : [need.in]
  return [...new Set(need.of.flatMap(columnsOfNeed))]
}
