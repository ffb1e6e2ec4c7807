import { readFileSync } from 'node:fs'
import { checkArchive } from './check-archive.js'

// Usage: node packages/object-store/dist/check-cli.js
// Checks the archive that the environment names by ARCHIVE_URL. Prints a sentence for a problem and ends with exit code 1. The settings are valid already:
// another program checks each of them.

const { env } = process
const problem = await checkArchive({
  ARCHIVE_URL: env.ARCHIVE_URL || undefined,
  ARCHIVE_S3_ACCESS_KEY_ID: readSecret('ARCHIVE_S3_ACCESS_KEY_ID'),
  ARCHIVE_S3_SECRET_ACCESS_KEY: readSecret('ARCHIVE_S3_SECRET_ACCESS_KEY'),
  MILLRACE_DATA_DIR: env.MILLRACE_DATA_DIR || '.millrace',
})
// A request that hangs would keep the process running.
process.stdout.write(problem === undefined ? '' : `${problem}\n`, () => process.exit(problem === undefined ? 0 : 1))

function readSecret(setting: string): { reveal(): string } | undefined {
  const value = readFileOf(setting) ?? env[setting]
  return value ? { reveal: () => value } : undefined
}

/** A file that cannot be read is a problem of the settings, which the other program reports. */
function readFileOf(setting: string): string | undefined {
  const file = env[`${setting}_FILE`]
  if (!file) return undefined
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch {
    return undefined
  }
}
