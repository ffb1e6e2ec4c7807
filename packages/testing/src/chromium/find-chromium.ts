import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { has } from '@millrace/local-stack'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const INSTALL = 'apt-get install -y --no-install-recommends chromium'

/**
 * The program of a Chromium: one on PATH, or Debian's, which it installs when this process is root. Prints why when there is none, so that a
 * skipped test is not overlooked.
 */
export function findChromium(): string | undefined {
  const found = chromiumOnPath() ?? installed()
  if (found === undefined)
    process.stderr.write(`NOT TESTED: pages in a real browser, because there is no Chromium (Debian: ${INSTALL})\n`)
  return found
}

function chromiumOnPath(): string | undefined {
  const paths = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)))
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function installed(): string | undefined {
  if (process.getuid?.() !== 0 || !has('apt-get') || !has('flock')) return undefined
  process.stderr.write(`Chromium is missing: running ${INSTALL}\n`)
  // Test files run side by side, and apt-get does not wait for another one's lists.
  const lock = join(tmpdir(), 'millrace-chromium.lock')
  const command = `command -v chromium || { apt-get -q update; DEBIAN_FRONTEND=noninteractive ${INSTALL}; }`
  const { stderr } = spawnSync('flock', [lock, 'sh', '-c', command], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const program = chromiumOnPath()
  if (program === undefined) process.stderr.write(`installing Chromium failed: ${stderr.trim().split('\n').at(-1)}\n`)
  return program
}
