import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const PROGRAM = join(import.meta.dirname, '../dist/check-cli.js')

describe('the check of the brokers before a start', () => {
  it('names a file with the password that cannot be read in one sentence', () => {
    const env = {
      PATH: process.env.PATH,
      KAFKA_BROKERS: '127.0.0.1:1',
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_PASSWORD_FILE: '/nowhere/password',
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', PROGRAM], {
      env,
      encoding: 'utf8',
    })
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
    expect(stdout).toMatch(/^the file of KAFKA_SASL_PASSWORD_FILE cannot be read: ENOENT.*\/nowhere\/password'\n$/)
  })
})
