// node infra/reference/generate.mjs [--check]
// Writes docs/reference from the sources and the built settings schemas. With --check nothing is written, and an outdated page is exit code 1.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { errorsPage, logEventsPage, metricsPage, settingsPage } from './pages.mjs'
import { scanSources } from './scan-sources.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'docs/reference')
const isCheck = process.argv.includes('--check')

const found = scanSources(root)
const kinds = (await importBuilt('packages/contracts')).KIND_TRAITS
const pages = {
  'metrics.md': metricsPage(found.metrics),
  'errors.md': errorsPage(found, kinds),
  'log-events.md': logEventsPage(found.logs),
  'settings.md': settingsPage(await readSettings()),
}

process.stderr.write(found.problems.map((problem) => `${String(problem)}\n`).join(''))
let outdated = found.problems.length
if (!isCheck) mkdirSync(folder, { recursive: true })
for (const [name, text] of Object.entries(pages)) {
  const path = join(folder, name)
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
  if (isCheck) {
    process.stderr.write(`docs/reference/${name} is outdated: build, then run node infra/reference/generate.mjs\n`)
    outdated++
  } else writeFileSync(path, text)
}
if (outdated > 0) process.exitCode = 1

/** Each service with its settings as a Markdown table. */
async function readSettings() {
  const { describeConfig } = await importBuilt('packages/service')
  const services = []
  for (const app of readdirSync(join(root, 'apps')).sort()) {
    if (!existsSync(join(root, 'apps', app, 'package.json'))) continue
    const { configSchema } = await import(pathToFileURL(join(root, 'apps', app, 'dist/config.js')).href)
    services.push({ app, table: describeConfig(configSchema) })
  }
  return services
}

function importBuilt(path) {
  return import(pathToFileURL(join(root, path, 'dist/index.js')).href)
}
