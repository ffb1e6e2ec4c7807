import type { Secret } from './secret.js'
import { secret, text } from './settings.js'
import type { SettingsRule } from './settings-rules.js'

/**
 * The settings of the archive, for a service that uses it; `archiveRules` checks them together. `parseUrl` is that of `@millrace/object-store`, which
 * throws a reason: services that have no archive do not carry that package.
 */
export function archiveSettings({ parseUrl }: { readonly parseUrl: (url: string) => unknown }) {
  return {
    ARCHIVE_URL: text({
      optional: true,
      isHidden: true,
      check: (value) => findUrlProblem(value, parseUrl),
      description:
        'where archives are kept: a folder as file:/var/lib/millrace/archive, or a bucket as s3://bucket/prefix?endpoint=https://host&region=eu-central-1; default: the folder archive below MILLRACE_DATA_DIR',
    }),
    ARCHIVE_S3_ACCESS_KEY_ID: secret({
      optional: true,
      check: findSpace,
      description: 'key for the bucket of ARCHIVE_URL; without it the AWS SDK looks for keys in its usual places',
    }),
    ARCHIVE_S3_SECRET_ACCESS_KEY: secret({
      optional: true,
      check: findSpace,
      description: 'secret key that belongs to ARCHIVE_S3_ACCESS_KEY_ID',
    }),
  }
}

function findUrlProblem(value: string, parseUrl: (url: string) => unknown): string | undefined {
  try {
    parseUrl(value)
    return undefined
  } catch (error) {
    const reason = (error as Error).message
    const remedy = reason.includes('credentials')
      ? ': they belong into ARCHIVE_S3_ACCESS_KEY_ID and ARCHIVE_S3_SECRET_ACCESS_KEY'
      : ''
    return `must be a URL such as file:/var/lib/millrace/archive or s3://bucket/prefix?region=eu-central-1 (${reason}${remedy})`
  }
}

function findSpace(value: string): string | undefined {
  return /\s/.test(value) ? 'must not contain a space or a line break' : undefined
}

interface ArchiveValues {
  readonly ARCHIVE_URL?: string | undefined
  readonly ARCHIVE_S3_ACCESS_KEY_ID?: Secret | undefined
  readonly ARCHIVE_S3_SECRET_ACCESS_KEY?: Secret | undefined
}

/** Rules over the settings of the archive, for `checkRules`. */
export const archiveRules = [keysRule, keysOfFolderRule] as const satisfies readonly SettingsRule<ArchiveValues>[]

const KEYS = ['ARCHIVE_S3_ACCESS_KEY_ID', 'ARCHIVE_S3_SECRET_ACCESS_KEY'] as const

function keysRule(config: ArchiveValues): string | undefined {
  const set = KEYS.find((setting) => config[setting] !== undefined)
  const missing = KEYS.find((setting) => config[setting] === undefined)
  if (set === undefined || missing === undefined) return undefined
  return `${set} is set, but ${missing} is not: set both, or none to let the AWS SDK look for keys in its usual places.`
}

function keysOfFolderRule(config: ArchiveValues): string | undefined {
  const set = KEYS.find((setting) => config[setting] !== undefined)
  if (set === undefined || /^s3:/i.test(config.ARCHIVE_URL ?? '')) return undefined
  const archive = config.ARCHIVE_URL === undefined ? 'is not set, so the archive is a folder' : 'names a folder'
  return `${set} is set, but ARCHIVE_URL ${archive}: set ARCHIVE_URL to s3://bucket, or leave the keys unset.`
}
