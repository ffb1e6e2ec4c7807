// Copies the types of queries from packages/contracts, so that whoever installs the client needs nothing else.
// Usage: node packages/client/scripts/generate.mjs
import { readFileSync, writeFileSync } from 'node:fs'

for (const name of ['query-answer.ts', 'query-kinds.ts']) {
  const source = new URL(`../../contracts/src/queries/${name}`, import.meta.url)
  const target = new URL(`../src/queries/${name}`, import.meta.url)
  writeFileSync(
    target,
    `// Copied by scripts/generate.mjs from packages/contracts. DO NOT EDIT.\n\n${readFileSync(source, 'utf8')}`,
  )
}
