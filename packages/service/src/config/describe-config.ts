import { type ConfigSchema, settingsOf } from './define-config.js'
import type { SettingFacts } from './settings.js'

/** The settings as a Markdown table, a row each, in the order of the schema. */
export function describeConfig(schema: ConfigSchema): string {
  const rows = [...settingsOf(schema)].map(([name, fact]) => toRow(name, fact))
  return ['| variable | what it decides | default | allowed |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function toRow(name: string, fact: SettingFacts): string {
  const variable = fact.isSecret === true ? `\`${name}\`, \`${name}_FILE\`` : `\`${name}\``
  const unit = fact.unit === undefined ? '' : ` (${fact.unit})`
  return `| ${variable} | ${escapeCell(fact.description)}${unit} | ${describeDefault(fact)} | ${escapeCell(fact.limits ?? '')} |`
}

function describeDefault(fact: SettingFacts): string {
  if (fact.isSecret === true) return fact.default === undefined && fact.isOptional !== true ? 'required' : ''
  if (fact.default !== undefined) return `\`${escapeCell(fact.default)}\``
  return fact.isOptional === true ? '' : 'required'
}

function escapeCell(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
