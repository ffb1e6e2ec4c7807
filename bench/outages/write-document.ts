// Writes the tables of docs/operations/outages.md: node bench/dist/outages/write-document.js
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lib/repository.js'
import { withTables } from './render-table.js'

const file = join(ROOT, 'docs/operations/outages.md')
writeFileSync(file, withTables(readFileSync(file, 'utf8')))
