import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from '@jest/globals'

const run = promisify(execFile)

/** Contexts made after V8's flag `--expose-gc` was set have a function `gc`. */
const script = `
  import { runInNewContext } from 'node:vm'
  import { EventsHandler } from './dist/stream/events-handler.js'
  import { tuneGarbageCollection } from './dist/tune-garbage-collection.js'
  new EventsHandler({}, {})
  console.log(runInNewContext('typeof gc'))
  tuneGarbageCollection()
  console.log(runInNewContext('typeof gc'))
`

describe('garbage collection', () => {
  it('creating an events handler sets no V8 flags; only the start of the service does', async () => {
    const cwd = new URL('..', import.meta.url).pathname
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd })
    expect(stdout).toBe('undefined\nfunction\n')
  })
})
