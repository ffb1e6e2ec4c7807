import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const APPS = fileURLToPath(new URL('../../../apps', import.meta.url))

/** Libraries of several MB each that only some settings need; every service loads them with the part that uses them. */
const LOADED_WHEN_USED = ['kafkajs', '@aws-sdk+client-s3', '@opentelemetry+sdk-node', '@opentelemetry+exporter']

/** Loads the code of a service and prints the paths of all CommonJS modules, which these libraries consist of. */
const PROGRAM = `
  import { createRequire } from 'node:module'
  const require = createRequire(import.meta.url)
  await import(process.argv[1])
  console.log(Object.keys(require.cache).join('\\n'))
  process.exit(0)
`

describe('the code of a service', () => {
  it.each(readdirSync(APPS))(
    'loads no client of Kafka, S3 or OpenTelemetry before the settings ask for it (%s)',
    (app) => {
      const args = ['--input-type=module', '-e', PROGRAM, `${APPS}/${app}/dist/run.js`]
      const modules = execFileSync(process.execPath, args, { encoding: 'utf8' }).split('\n')
      // Without any module of the logger the list would be wrong.
      expect(modules.filter((path) => path.includes('/winston/')).length).toBeGreaterThan(0)
      expect(modules.filter((path) => LOADED_WHEN_USED.some((library) => path.includes(library)))).toEqual([])
    },
  )
})
