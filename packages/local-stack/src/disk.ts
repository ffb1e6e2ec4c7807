import { statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Space that has to be free while servers run, in bytes: four segments of PostgreSQL's write-ahead log. DISK_FREE_BYTES_MIN replaces it; the gateway
 * refuses events below the same limit, so that the servers keep room to work.
 */
const FREE_BYTES_MIN = 64 * 1024 ** 2

/** Of a new cluster of PostgreSQL 18 without further segments of the write-ahead log; 47 MiB were measured, with one segment. */
export const CLUSTER_BYTES = 48 * 1024 ** 2

/** How programs say that a disk, a quota or a file system's table of files is full. */
const FULL_MESSAGE = /No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/

/** The disk below a directory. */
export interface Disk {
  /** The directory, or its nearest parent that exists. */
  path: string
  freeBytes: number
}

/** The space that ordinary users may still use below `path`, which need not exist yet. A disk that can hold no more files counts as full. */
export function diskOf(path: string): Disk {
  const existing = nearestDirectory(resolve(path))
  const { blocks, bavail, bsize, files, ffree } = statfsSync(existing)
  if (blocks === 0) return { path: existing, freeBytes: Number.POSITIVE_INFINITY }
  return { path: existing, freeBytes: files > 0 && ffree === 0 ? 0 : bavail * bsize }
}

/** The space that has to be free, in bytes. */
export function freeBytesMin(env: NodeJS.ProcessEnv = process.env): number {
  const set = Number(env.DISK_FREE_BYTES_MIN)
  return env.DISK_FREE_BYTES_MIN && Number.isSafeInteger(set) && set >= 0 ? set : FREE_BYTES_MIN
}

/** A cause of ends that lies outside of the server. */
export interface Obstacle {
  /** For a log line, as a clause without a full stop. */
  reason: string
  /** Whether the cause is known to be gone. */
  isGone: () => boolean
}

/**
 * The obstacle to a server with data below `path` when its disk is full: too little space is free, or its last lines say that the disk is full, which
 * covers quotas. Undefined when the disk is not full.
 */
export function findFullDisk(path: string, lastLines: string, neededBytes = freeBytesMin()): Obstacle | undefined {
  const freeBytes = freeBytesOf(path)
  const isLow = freeBytes < neededBytes
  if (!isLow && !FULL_MESSAGE.test(lastLines)) return undefined
  const needed = isLow ? `, ${formatBytes(neededBytes)} needed` : ', but a write was refused, perhaps by a quota'
  return {
    reason: `the disk of ${path} is full: ${formatBytes(freeBytes)} free${needed}`,
    isGone: () => isLow && freeBytesOf(path) >= neededBytes,
  }
}

/**
 * Checks that `moreBytes` and the space that has to stay free fit on the disk of `directory`.
 * @throws an error that names the disk, the space that is needed and the remedy.
 */
export function checkSpace(directory: string, moreBytes: number): void {
  const neededBytes = freeBytesMin() + moreBytes
  const { path, freeBytes } = diskOf(directory)
  if (freeBytes >= neededBytes) return
  const start = moreBytes > 0 ? 'the first start' : 'a start'
  throw new Error(
    `${start} needs ${formatBytes(neededBytes)} on the disk of ${path}, which has ${formatBytes(freeBytes)} free: make room, or set MILLRACE_DATA_DIR to a directory on a larger disk`,
  )
}

/** For example "1.2 GB", "37 MB", "0 MB". */
export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.floor(bytes / 1e6)} MB`
}

/** Infinite when it cannot be read, which is a fault of another kind. */
function freeBytesOf(path: string): number {
  try {
    return diskOf(path).freeBytes
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

function nearestDirectory(path: string): string {
  for (let directory = path; ; directory = dirname(directory)) {
    if (isDirectory(directory) || directory === dirname(directory)) return directory
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
