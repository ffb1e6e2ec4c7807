import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Child processes of tests run what is compiled, so it must be current. Quick when nothing has changed. */
export function compile(): void {
  const cwd = join(import.meta.dirname, '..')
  const { status, stdout, error } = spawnSync(join(cwd, 'node_modules/.bin/tsc'), ['-b'], { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`compiling packages/streams: ${error?.message ?? stdout}`)
}
