import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Appends a run to results/ of its scenario, one JSON object a line, and prints the closing line `RESULT {…}`. */
export function writeResult(scenarioUrl, { result, ...details }) {
  const folder = fileURLToPath(new URL('results/', scenarioUrl))
  mkdirSync(folder, { recursive: true })
  const run = { at: new Date().toISOString(), command: process.argv.slice(2).join(' '), ...details, result }
  appendFileSync(join(folder, 'runs.jsonl'), `${JSON.stringify(run)}\n`)
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
}

/** Prints one line. */
export function say(line) {
  process.stdout.write(`${line}\n`)
}

/** Rounded to `digits` places; undefined stays out of JSON. */
export function round(value, digits = 0) {
  return value === undefined || Number.isNaN(value) ? undefined : Number(value.toFixed(digits))
}

/** Prints rows of equal keys as a table. */
export function printTable(rows) {
  if (rows.length === 0) return
  const keys = Object.keys(rows[0])
  const cells = [keys, ...rows.map((row) => keys.map((key) => String(row[key] ?? '')))]
  const widths = keys.map((_, column) => Math.max(...cells.map((row) => row[column].length)))
  for (const row of cells)
    say(
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  '),
    )
}
