import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { ROOT } from './repository.js'

/** What a measurement depends on besides the code. */
export interface Machine {
  cores: number
  cpu: string
  memory_gib: number
  kernel: string
  distribution: string
  node: string
  commit: string
}

export function describeMachine(): Machine {
  const cpu = cpus()
  return {
    cores: cpu.length,
    cpu: cpu[0]?.model ?? 'unknown',
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    distribution: distribution(),
    node: process.version,
    commit: commit(),
  }
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
  try {
    const changes = git('status', '--porcelain', '--untracked-files=no')
    return git('rev-parse', '--short', 'HEAD') + (changes ? ' with changes' : '')
  } catch {
    return 'unknown'
  }
}
