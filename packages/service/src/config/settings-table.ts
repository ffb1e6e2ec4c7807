import type { ConfigSchema } from './define-config.js'
import { describeConfig } from './describe-config.js'

const BEGIN = '<!-- settings -->'
const END = '<!-- /settings -->'

/** The README with the table between its markers replaced. Throws when the markers are not there. */
export function replaceSettingsTable(readme: string, schema: ConfigSchema): string {
  const from = readme.indexOf(BEGIN)
  const to = readme.indexOf(END)
  if (from < 0 || to < from) throw new Error(`the README has no ${BEGIN} followed by ${END}`)
  return `${readme.slice(0, from + BEGIN.length)}\n${describeConfig(schema)}\n${readme.slice(to)}`
}
