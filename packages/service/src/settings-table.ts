import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ConfigSchema } from './config/define-config.js'
import { replaceSettingsTable } from './config/settings-table.js'

// Usage: node packages/service/dist/settings-table.js [--check] <app folder>…
// Rewrites the table in each app's README from its built configSchema. With --check nothing is written, and an outdated table is exit code 1.

const isCheck = process.argv.includes('--check')
for (const folder of process.argv.slice(2).filter((argument) => argument !== '--check')) {
  const path = resolve(folder, 'README.md')
  const config = (await import(pathToFileURL(resolve(folder, 'dist/config.js')).href)) as { configSchema: ConfigSchema }
  const before = await readFile(path, 'utf8')
  const after = replaceSettingsTable(before, config.configSchema)
  if (after === before) continue
  if (isCheck) {
    process.stderr.write(
      `${folder}/README.md: the table of settings is outdated; build, then run node packages/service/dist/settings-table.js ${folder}\n`,
    )
    process.exitCode = 1
  } else {
    await writeFile(path, after)
  }
}
