import { parseMasterKeys } from '@millrace/archive'
import { parseObjectStoreUrl } from '@millrace/object-store'
import { archiveSettings, integer, secret } from '@millrace/service'

/** The settings of the archive of log lines. */
export function logArchiveSettings() {
  return {
    ...archiveSettings({ parseUrl: parseObjectStoreUrl }),
    ARCHIVE_MASTER_KEYS: secret({
      optional: true,
      check: findKeyProblem,
      description:
        'keys that protect the archive, each 32 random bytes in Base64, separated by commas; the first one is used for what is written from now on, and the others can still be read. Log lines are archived when it is set. Without these keys nobody can read the archive: keep a copy of them elsewhere',
    }),
    ARCHIVE_SEAL_SECONDS: integer({
      default: 3600,
      min: 1,
      max: 86_400,
      unit: 's',
      description:
        'log lines are archived at the latest after this time, or as soon as there are about 8 MiB of an hour',
    }),
    ARCHIVE_RETENTION_DAYS: integer({
      default: 2557,
      min: 1,
      max: 36_500,
      unit: 'days',
      description:
        'how long archived log lines are kept, by the hour of their receipt, for tenants without a rule of their own',
    }),
  }
}

function findKeyProblem(value: string): string | undefined {
  try {
    return parseMasterKeys(value).length === 0 ? 'must have at least one key' : undefined
  } catch (error) {
    return `must be keys of 32 random bytes in Base64, as openssl rand -base64 32 prints them (${(error as Error).message})`
  }
}
