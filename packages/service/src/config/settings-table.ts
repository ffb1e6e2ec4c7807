import type { ConfigSchema } from './define-config.js'
import { describeConfig } from './describe-config.js'

const begin = '<!-- settings -->'
const end = '<!-- /settings -->'

/** The README with the table between its markers replaced. Throws when the markers are not there. */
export function replaceSettingsTable(readme: string, schema: ConfigSchema): string {
  const from = readme.indexOf(begin)
  const to = readme.indexOf(end)
  if (from < 0 || to < from) throw new Error(`the README has no ${begin} followed by ${end}`)
  return `${readme.slice(0, from + begin.length)}\n${describeConfig(schema)}\n${readme.slice(to)}`
}
