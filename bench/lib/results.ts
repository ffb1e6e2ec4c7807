import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './repository.js'

/** One measurement: `result` is the summary, everything else are details. */
export interface Run {
  result: object
  [detail: string]: unknown
}

/** Appends a run to bench/<scenario>/results/runs.jsonl, one JSON object a line, and prints the closing line `RESULT {…}`. */
export function writeResult(scenario: string, { result, ...details }: Run): void {
  const folder = join(ROOT, 'bench', scenario, 'results')
  mkdirSync(folder, { recursive: true })
  const run = { at: new Date().toISOString(), command: process.argv.slice(2).join(' '), ...details, result }
  appendFileSync(join(folder, 'runs.jsonl'), `${JSON.stringify(run)}\n`)
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
}

/** Prints one line. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Rounds to `digits` decimal places. Undefined, which JSON leaves out, for NaN and undefined. */
export function round(value: number | undefined, digits = 0): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : Number(value.toFixed(digits))
}

type Cell = string | number | boolean | undefined

/** Prints rows with equal keys as a table. The first column is aligned to the left, the others to the right. */
export function printTable(rows: readonly object[]): void {
  const [first] = rows
  if (first === undefined) return
  const keys = Object.keys(first)
  const cells = [keys, ...rows.map((row) => keys.map((key) => `${(row as Record<string, Cell>)[key] ?? ''}`))]
  const widths = keys.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  for (const row of cells)
    say(
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
}
