// Makes src/gen from proto/. Usage: node packages/contracts/scripts/generate.mjs [folder that gets src/gen; default: this package]
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const cwd = fileURLToPath(new URL('..', import.meta.url))
const out = resolve(process.argv[2] ?? cwd)
const binaries = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url))
// buf looks for protoc-gen-ts_proto on the path.
const env = { ...process.env, PATH: `${binaries}${delimiter}${process.env.PATH}` }
const buf = (args) => execFileSync('buf', args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })

buf(['generate', '-o', out])
const set = buf(['build', '--as-file-descriptor-set', '--exclude-source-info', '-o', '-#format=binpb'])
writeFileSync(
  join(out, 'src/gen/descriptor-set.ts'),
  `// Made by scripts/generate.mjs from proto/. DO NOT EDIT.

const base64 =
  '${set.toString('base64')}'

/** All schemas of proto/ and what they import, as a serialised FileDescriptorSet: what gRPC reflection answers from. */
export function descriptorSet(): Buffer {
  return Buffer.from(base64, 'base64')
}
`,
)
