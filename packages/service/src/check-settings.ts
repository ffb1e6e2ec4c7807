import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type ConfigSchema, settingsOf } from './config/define-config.js'
import { findMisspelled } from './config/misspelled.js'
import { ConfigError, parseConfig } from './config/parse-config.js'

// Usage: node packages/service/dist/check-settings.js <app folder>…
// Parses the environment as these apps would. Prints one JSON object: problems, one sentence each, and misspelled variables.

const problems = new Set<string>()
const names = new Set<string>()
for (const folder of process.argv.slice(2)) {
  const module = await import(pathToFileURL(resolve(folder, 'dist/config.js')).href)
  const { configSchema } = module as { configSchema: ConfigSchema }
  for (const name of settingsOf(configSchema).keys()) names.add(name)
  try {
    parseConfig(configSchema, process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.problems) problems.add(problem)
  }
}
process.stdout.write(JSON.stringify({ problems: [...problems], misspelled: findMisspelled(names, process.env) }))
