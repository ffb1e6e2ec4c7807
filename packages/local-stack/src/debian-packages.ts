import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Whether a program is on the PATH of `env`. */
export function has(tool: string, env: NodeJS.ProcessEnv = process.env): boolean {
  return (env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, tool)))
}

/** Whether Debian packages can be downloaded and unpacked here. */
export function canUnpackDebian(): boolean {
  return has('apt-get') && has('dpkg-deb')
}

/**
 * Unpacks packages into the directory `target` without root: nothing is installed, configured or started. apt with a state directory of its own needs no
 * root to download. Returns the last line of each program that failed; the caller checks what is in `target`.
 */
export function unpackDebian(packages: readonly string[], target: string): string[] {
  const part = `${target}.${process.pid}`
  rmSync(part, { recursive: true, force: true })
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(join(part, folder), { recursive: true })
  const options = [
    `Dir::State=${part}/state`,
    `Dir::Cache=${part}/cache`,
    'Dir::State::status=/var/lib/dpkg/status',
    'APT::Sandbox::User=',
  ]
  const apt = ['apt-get', '-q', ...options.flatMap((option) => ['-o', option])]
  const complaints = [
    ...runProgram([...apt, 'update']),
    ...runProgram([...apt, 'download', ...packages], join(part, 'debs')),
  ]
  for (const file of readdirSync(join(part, 'debs')))
    complaints.push(...runProgram(['dpkg-deb', '-x', join(part, 'debs', file), join(part, 'root')]))
  // Another process may have unpacked the same packages meanwhile.
  if (existsSync(join(part, 'root')) && !existsSync(target)) renameSync(join(part, 'root'), target)
  rmSync(part, { recursive: true, force: true })
  return complaints
}

/** Runs a program to its end. Returns the last line of its error output when it failed. */
export function runProgram(command: readonly string[], cwd?: string): string[] {
  const result = spawnSync(command[0] as string, command.slice(1), {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd,
  })
  const complaint = result.stderr?.trim().split('\n').at(-1)
  return result.status !== 0 && complaint ? [complaint] : []
}
