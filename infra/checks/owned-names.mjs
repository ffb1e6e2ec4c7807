// Names and numbers on which several services must agree are written once, in the file that owns them. Tests may spell a name out: that is how
// they notice when it changes.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, say } from '../bootstrap/steps.mjs'

/** `except` lists files that use the same text for another purpose. */
const RULES = [
  {
    what: 'a Redis key, channel or advisory lock',
    owner: 'packages/contracts/src/names/',
    pattern: /(?<!urn:)\bmillrace:/,
    except: ['packages/redis/src/create-client.ts'],
  },
  {
    what: 'a key of gRPC metadata',
    owner: 'packages/contracts/src/names/metadata-keys.ts',
    pattern: /millrace-(tenant|caller|code|error-bin)\b/,
  },
  {
    what: 'the name of the consumer group that stores events',
    owner: 'packages/contracts/src/names/streams.ts',
    pattern: /events-store/,
  },
  {
    what: 'the name of the overflow series',
    owner: 'packages/rollups/src/series-key.ts',
    pattern: /(?<!counted as )\$overflow/,
  },
  {
    what: 'a second, minute, hour or day in milliseconds',
    owner: 'packages/contracts/src/time/durations.ts',
    pattern: /\b(86_?400_?000|3_?600_?000)\b|\bconst (SECOND|MINUTE|HOUR|DAY)(_MS)? = \d/i,
  },
]

const files = execFileSync('git', ['ls-files', 'apps/*/src/**', 'packages/*/src/**', 'packages/*/lua/**', 'bench/**'], {
  cwd: ROOT,
})
  .toString()
  .split('\n')
  .filter((path) => /\.(ts|lua)$/.test(path) && !/\.test\.ts$|\/(testing|gen)\//.test(path))

let problems = 0
const report = (text) => {
  problems++
  say(text)
}

for (const { what, owner, pattern, except = [] } of RULES) {
  let owned = 0
  for (const path of files) {
    for (const [index, line] of readFileSync(join(ROOT, path), 'utf8').split('\n').entries()) {
      const isComment = /^\s*(\/\/|\/?\*|--)/.test(line)
      if (isComment || !pattern.test(line)) continue
      if (path.startsWith(owner)) owned++
      else if (!except.includes(path)) report(`${path}:${index + 1}: ${what} belongs to ${owner}; import it from there`)
    }
  }
  if (owned === 0)
    report(`${owner} holds no text that matches ${pattern}: correct the rule in infra/checks/owned-names.mjs`)
}
process.exitCode = problems === 0 ? 0 : 1
