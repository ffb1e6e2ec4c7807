import { createHash } from 'node:crypto'
import type { Cell } from '@millrace/import-files'
import type { Entity, EntityColumn } from '../entities/entity.js'
import { importErrors } from '../errors.js'
import { type Converted, createValueConverter } from './convert-value.js'
import type { MappedColumn, Mapping, TransformStep } from './mapping.js'
import type { ValueFault } from './reject.js'

/** A value of a record that cannot be loaded. */
export interface ColumnFault extends ValueFault {
  /** Name in the entity. */
  readonly column: string
  /** The value after the transforms, cut. */
  readonly value: string
}

interface CompiledColumn {
  readonly name: string
  readonly mapped: MappedColumn
  readonly isRequired: boolean
  readonly isText: boolean
  readonly convert: (text: string) => Converted
}

const VALUE_LENGTH_MAX = 200

/** Turns the cells of a record into texts that PostgreSQL casts to the types of the columns. */
export class RecordConverter {
  readonly #columns: readonly CompiledColumn[]
  /** The columns of the entity that have values, in the order of `convert`. */
  readonly names: readonly string[]

  /** @throws IMPORT_MAPPING_INVALID naming what is wrong */
  constructor(entity: Entity, mapping: Mapping) {
    checkMapping(entity, mapping)
    this.#columns = mapping.map((mapped) => {
      const column = entity.columns[mapped.to] as EntityColumn
      return {
        name: mapped.to,
        mapped,
        isRequired: column.isRequired === true || mapped.to === entity.key,
        isText: column.type === 'text',
        convert: createValueConverter(column, mapped.format),
      }
    })
    this.names = mapping.map(({ to }) => to)
  }

  /** Puts one value for each of `names` into `values`, or returns all that is wrong with the record. */
  convert(cells: readonly Cell[], values: Cell[]): readonly ColumnFault[] {
    let faults: ColumnFault[] | undefined
    for (let index = 0; index < this.#columns.length; index++) {
      const column = this.#columns[index] as CompiledColumn
      const text = transform(pick(cells, column.mapped), column.mapped.steps)
      // Only a text can be empty, and an empty text is no value where one is required.
      const isAbsent = text === null || (text === '' && (!column.isText || column.isRequired))
      const converted = isAbsent ? undefined : column.convert(text)
      if (converted === undefined) {
        values[index] = null
        if (column.isRequired) {
          faults ??= []
          faults.push({ column: column.name, value: '', code: 'required', reason: 'the value is missing' })
        }
      } else if ('text' in converted) values[index] = converted.text
      else {
        faults ??= []
        faults.push({ column: column.name, value: (text as string).slice(0, VALUE_LENGTH_MAX), ...converted })
      }
    }
    return faults ?? NONE
  }
}

const NONE: readonly ColumnFault[] = []

function pick(cells: readonly Cell[], { from, joinBy = ' ' }: MappedColumn): Cell {
  if (from.length === 1) return cells[(from[0] as number) - 1] ?? null
  const parts = from.map((position) => cells[position - 1] ?? null).filter((cell) => cell !== null)
  return parts.length === 0 ? null : parts.join(joinBy)
}

function transform(cell: Cell, steps: readonly TransformStep[] = []): Cell {
  let value = cell
  for (const step of steps) {
    if (step.step === 'default') value = value === null || value === '' ? step.value : value
    else if (value !== null) value = applyStep(value, step)
  }
  return value
}

function applyStep(value: string, step: Exclude<TransformStep, { step: 'default' }>): Cell {
  switch (step.step) {
    case 'trim':
      return value.trim()
    case 'lower':
      return value.toLowerCase()
    case 'upper':
      return value.toUpperCase()
    case 'hash':
      return createHash('sha256').update(value).digest('hex')
    case 'map':
      return Object.hasOwn(step.table, value) ? (step.table[value] as string) : value
    case 'null_if':
      return step.values.includes(value) ? null : value
    case 'split':
      return value.split(step.separator)[step.part - 1] ?? null
  }
}

function checkMapping(entity: Entity, mapping: Mapping): void {
  const seen = new Set<string>()
  for (const { to, from, steps = [], format } of mapping) {
    if (!Object.hasOwn(entity.columns, to))
      throw invalid(`${entity.name} has no column ${to}: it has ${Object.keys(entity.columns).join(', ')}`, to)
    if (seen.has(to)) throw invalid(`the column ${to} is mapped twice`, to)
    seen.add(to)
    if (from.some((position) => !Number.isInteger(position) || position < 1))
      throw invalid(`${to}: positions are whole numbers from 1`, to)
    if (from.length === 0 && !steps.some(({ step }) => step === 'default'))
      throw invalid(`${to} has neither a position nor a default`, to)
    if (
      steps.some(
        (step) => step.step === 'split' && (step.separator === '' || !Number.isInteger(step.part) || step.part < 1),
      )
    )
      throw invalid(`${to}: split needs a separator and a part from 1`, to)
    if (format?.type === 'timestamp' && !isTimeZone(format.zone))
      throw invalid(`${to}: ${format.zone} is no time zone`, to)
  }
  const missing = Object.entries(entity.columns).filter(
    ([name, { isRequired }]) => (isRequired === true || name === entity.key) && !seen.has(name),
  )
  if (missing.length > 0) {
    const names = missing.map(([name]) => name)
    throw invalid(
      `${entity.name} needs ${names.join(', ')}, and the mapping does not give ${names.length === 1 ? 'it' : 'them'}`,
      names[0] as string,
    )
  }
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

const invalid = (message: string, column: string): Error =>
  importErrors.IMPORT_MAPPING_INVALID({ message, details: { column } })
