import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { createTestAuthority, waitFor } from '@millrace/testing'
import { toKafkaConnection } from './connection.js'

describe('the TLS files of a Kafka connection', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
  const authority = createTestAuthority(dir, 'authority')
  const first = authority.issue('first', 'DNS:client')
  const second = authority.issue('second', 'DNS:client')
  const settings = { KAFKA_BROKERS: ['broker:9093'], KAFKA_SSL_ENABLED: true }
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  it('a connection takes certificates that were replaced on disk, and keeps the earlier ones while the new ones cannot be used', async () => {
    const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'cert.key')]
    const replace = (certificateFile: string, keyFile: string) => {
      copyFileSync(certificateFile, cert)
      copyFileSync(keyFile, key)
    }
    replace(first.certificateFile, first.keyFile)
    const problems: string[] = []
    const { tls } = toKafkaConnection({ ...settings, KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key }, ({ message }) =>
      problems.push(message),
    )
    expect({ ...tls }).toEqual({ cert: first.certificate, key: first.key })
    replace(second.certificateFile, first.keyFile)
    await waitFor(async () => {
      expect(tls?.cert).toBe(first.certificate)
      return problems.length > 0
    })
    replace(second.certificateFile, second.keyFile)
    await waitFor(async () => tls?.cert === second.certificate)
    expect({ ...tls }).toEqual({ cert: second.certificate, key: second.key })
    expect(problems).toEqual(['KAFKA_SSL_KEY is not the private key of the certificate KAFKA_SSL_CERT'])
  })

  it.each([
    [
      'is missing',
      { KAFKA_SSL_CA: '/nowhere/ca.pem' },
      /^KAFKA_SSL_CA names \/nowhere\/ca\.pem, which cannot be read \(ENOENT/,
    ],
    [
      'does not belong to its certificate',
      { KAFKA_SSL_CERT: first.certificateFile, KAFKA_SSL_KEY: second.keyFile },
      /^KAFKA_SSL_KEY is not the private key of the certificate KAFKA_SSL_CERT$/,
    ],
    [
      'is not PEM',
      { KAFKA_SSL_CERT: join(dir, 'text.pem'), KAFKA_SSL_KEY: first.keyFile },
      /^KAFKA_SSL_CERT names a file that is not valid PEM/,
    ],
  ])('a file that %s is named in one sentence', (_, files, sentence) => {
    writeFileSync(join(dir, 'text.pem'), 'no certificate')
    expect(() => toKafkaConnection({ ...settings, ...files })).toThrow(sentence)
  })

  it('the password is in no text that is made from a connection', () => {
    const connection = toKafkaConnection({
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'ada',
      KAFKA_SASL_PASSWORD: { reveal: () => 'canary' },
    })
    expect(connection.sasl?.password).toBe('canary')
    expect(JSON.stringify(connection)).not.toContain('canary')
  })
})
