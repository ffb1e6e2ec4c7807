import { describe, expect, it } from '@jest/globals'
import { parseObjectStoreUrl } from '@millrace/object-store'
import { archiveRules, archiveSettings } from './archive-settings.js'
import { defineConfig } from './define-config.js'
import { ConfigError, parseConfig } from './parse-config.js'
import { checkRules } from './settings-rules.js'

const schema = defineConfig(archiveSettings({ parseUrl: parseObjectStoreUrl })).superRefine(checkRules(...archiveRules))
const keys = { ARCHIVE_S3_ACCESS_KEY_ID: 'AKIA1', ARCHIVE_S3_SECRET_ACCESS_KEY: 'hunter2' }
const EXAMPLES = 'file:/var/lib/millrace/archive or s3://bucket/prefix?region=eu-central-1'

const problemsOf = (env: Record<string, string>) => {
  try {
    parseConfig(schema, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the settings of the archive', () => {
  it.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['a folder', { ARCHIVE_URL: 'file:/var/lib/archive' }],
    ['a bucket without keys', { ARCHIVE_URL: 's3://archive?region=eu-central-1' }],
    ['a bucket with keys', { ARCHIVE_URL: 's3://archive/a?endpoint=http://minio:9000', ...keys }],
  ])('are accepted with %s', (_, env) => {
    expect(problemsOf(env)).toEqual([])
  })

  it.each<[string, Record<string, string>, string]>([
    [
      'an unknown scheme',
      { ARCHIVE_URL: 'https://hunter2.example.com' },
      `ARCHIVE_URL must be a URL such as ${EXAMPLES} (it must begin with file: or s3:).`,
    ],
    [
      'keys in the URL',
      { ARCHIVE_URL: 's3://AKIA1:hunter2@archive' },
      `ARCHIVE_URL must be a URL such as ${EXAMPLES} (it must not hold credentials: they belong into ARCHIVE_S3_ACCESS_KEY_ID and ARCHIVE_S3_SECRET_ACCESS_KEY).`,
    ],
    [
      'keys in the endpoint',
      { ARCHIVE_URL: 's3://archive?endpoint=http://AKIA1:hunter2@minio' },
      `ARCHIVE_URL must be a URL such as ${EXAMPLES} (endpoint must not hold credentials: they belong into ARCHIVE_S3_ACCESS_KEY_ID and ARCHIVE_S3_SECRET_ACCESS_KEY).`,
    ],
    [
      'a key without its secret',
      { ARCHIVE_URL: 's3://archive', ...keys, ARCHIVE_S3_SECRET_ACCESS_KEY: '' },
      'ARCHIVE_S3_ACCESS_KEY_ID is set, but ARCHIVE_S3_SECRET_ACCESS_KEY is not: set both, or none to let the AWS SDK look for keys in its usual places.',
    ],
    [
      'a secret without its key',
      { ARCHIVE_URL: 's3://archive', ...keys, ARCHIVE_S3_ACCESS_KEY_ID: '' },
      'ARCHIVE_S3_SECRET_ACCESS_KEY is set, but ARCHIVE_S3_ACCESS_KEY_ID is not: set both, or none to let the AWS SDK look for keys in its usual places.',
    ],
    [
      'keys for a folder',
      { ARCHIVE_URL: 'file:archive', ...keys },
      'ARCHIVE_S3_ACCESS_KEY_ID is set, but ARCHIVE_URL names a folder: set ARCHIVE_URL to s3://bucket, or leave the keys unset.',
    ],
    [
      'keys without a URL',
      keys,
      'ARCHIVE_S3_ACCESS_KEY_ID is set, but ARCHIVE_URL is not set, so the archive is a folder: set ARCHIVE_URL to s3://bucket, or leave the keys unset.',
    ],
    [
      'a key with a line break',
      { ARCHIVE_URL: 's3://archive', ...keys, ARCHIVE_S3_SECRET_ACCESS_KEY: 'hunter2\n' },
      'ARCHIVE_S3_SECRET_ACCESS_KEY must not contain a space or a line break.',
    ],
  ])('are refused with one sentence that shows no secret: %s', (_, env, sentence) => {
    expect(problemsOf(env)).toEqual([sentence])
    expect(sentence).not.toContain('hunter2')
  })
})
