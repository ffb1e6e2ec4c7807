import { statfs } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

export interface SystemInfo {
  readonly memory: { readonly total_bytes: number; readonly available_bytes: number; readonly used_percent: number }
  /** `used_percent` covers all cores since the last reading; null at the first. */
  readonly cpu: { readonly cores: number; readonly load_1m: number; readonly used_percent: number | null }
  /** null where the directory cannot be read. */
  readonly disk: {
    readonly total_bytes: number
    readonly available_bytes: number
    readonly used_percent: number
  } | null
}

/** Reads memory, processor and the disk of a directory for the whole machine, not for this process. */
export function createReadSystem(directory: string): () => Promise<SystemInfo> {
  let last = cpuTimes()
  return async function readSystem() {
    const now = cpuTimes()
    const total = now.total - last.total
    const used = total > 0 ? 1 - (now.idle - last.idle) / total : null
    // Two readings at the same moment have no time between them.
    if (total > 0) last = now
    const memory = { total_bytes: os.totalmem(), available_bytes: process.availableMemory() }
    return {
      memory: { ...memory, used_percent: percent(1 - memory.available_bytes / memory.total_bytes) },
      cpu: {
        cores: os.cpus().length,
        load_1m: os.loadavg()[0] ?? 0,
        used_percent: used === null ? null : percent(used),
      },
      disk: await readDisk(directory),
    }
  }
}

/** A directory that is not there yet will be on the disk of its parent. */
async function readDisk(directory: string): Promise<SystemInfo['disk']> {
  const absolute = path.resolve(directory)
  try {
    const { blocks, bavail, bsize } = await statfs(absolute)
    return { total_bytes: blocks * bsize, available_bytes: bavail * bsize, used_percent: percent(1 - bavail / blocks) }
  } catch {
    const parent = path.dirname(absolute)
    return parent === absolute ? null : await readDisk(parent)
  }
}

function cpuTimes(): { idle: number; total: number } {
  let idle = 0
  let total = 0
  for (const { times } of os.cpus()) {
    idle += times.idle
    total += times.user + times.nice + times.sys + times.idle + times.irq
  }
  return { idle, total }
}

function percent(share: number): number {
  return Math.round(share * 1000) / 10
}
