/** How a column is printed in tables; JSON has the bare value. */
export type Format = 'text' | 'count' | 'bytes' | 'percent' | 'ms' | 'time'

/** A value in a table of a report. */
export type Cell = string | number | null

/** One table of a report. */
export interface Section {
  readonly title: string
  /** Explains the figures, or says why there are none. */
  readonly note?: string | undefined
  /** In print order. */
  readonly columns: Readonly<Record<string, Format>>
  readonly rows: readonly Readonly<Record<string, Cell>>[]
}

/** The sections as tables for a terminal. */
export function renderText(sections: readonly Section[]): string {
  return sections.map(renderSection).join('\n')
}

/** The sections as JSON: an object with the rows of each section by its title. */
export function renderJson(sections: readonly Section[]): string {
  const entries = sections.map(({ title, note, rows }) => [title, note === undefined ? { rows } : { note, rows }])
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`
}

function renderSection({ title, note, columns, rows }: Section): string {
  const lines = [title, ...(note === undefined ? [] : [`  ${note}`])]
  if (rows.length === 0) return `${[...lines, '  none'].join('\n')}\n`
  const names = Object.keys(columns)
  const table = [
    names.map((name) => name.replaceAll('_', ' ')),
    ...rows.map((row) => names.map((name) => write(row[name] ?? null, columns[name] as Format))),
  ]
  const widths = names.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  const body = table.map((cells) => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0
      return columns[names[column] as string] === 'text' ? cell.padEnd(width) : cell.padStart(width)
    })
    return `  ${padded.join('  ').trimEnd()}`
  })
  return `${[...lines, ...body].join('\n')}\n`
}

/** Maximum characters of a table cell; JSON has the whole text. */
const TEXT_MAX = 110

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

function write(value: Cell, format: Format): string {
  if (value === null) return '-'
  if (typeof value === 'string') {
    if (format === 'time') return value.slice(0, 16).replace('T', ' ')
    return value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX - 1)}…` : value
  }
  switch (format) {
    case 'bytes': {
      const unit = Math.min(UNITS.length - 1, value < 1024 ? 0 : Math.floor(Math.log2(value) / 10))
      return `${(value / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${UNITS[unit]}`
    }
    case 'percent':
      return `${(value * 100).toFixed(1)} %`
    case 'ms':
      return value.toFixed(value < 10 ? 2 : 0)
    default:
      return Math.round(value).toLocaleString('en-US')
  }
}
