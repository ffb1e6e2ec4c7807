// Reads docker-compose.yml and the Dockerfile with Compose's and BuildKit's own parsers, which are written in Go.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cwd = fileURLToPath(new URL('check', import.meta.url))
if (spawnSync('go', ['version']).status !== 0) {
  process.stdout.write('SKIPPED: docker-compose.yml and the Dockerfile were not checked, since Go is not installed\n')
} else {
  // The compose file insists on keys of one's own; any will do to read it.
  const env = { ...process.env, BOOTSTRAP_WRITE_KEY: 'any', BOOTSTRAP_ADMIN_KEY: 'any' }
  process.exitCode =
    spawnSync('go', ['run', '.', root], { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1
}
