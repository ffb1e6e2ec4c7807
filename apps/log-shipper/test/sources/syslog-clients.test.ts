import { execFile, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { freePort } from '@millrace/testing'
import { type StreamedRecord, startShipper, type TestShipper } from '../start-shipper.js'

// The package has no types.
const syslog = createRequire(import.meta.url)('syslog-client')
const run = promisify(execFile)
const LOGGER = ['/usr/bin/logger', '/bin/logger'].find((path) => existsSync(path))
const RSYSLOG = ['/usr/sbin/rsyslogd', '/sbin/rsyslogd'].find((path) => existsSync(path))

/** The test, or a skipped one that says which program is missing. */
function withProgram(program: string | undefined, what: string): typeof it | typeof it.skip {
  if (program !== undefined) return it
  process.stderr.write(`tests with ${what} are skipped: it is not installed\n`)
  return it.skip
}

describe('syslog', () => {
  let shipper: TestShipper
  let port: number
  let tlsPort: number
  const home = mkdtempSync(join(tmpdir(), 'millrace-syslog-'))

  beforeAll(async () => {
    port = await freePort()
    tlsPort = await freePort()
    const [cert, key] = [join(home, 'cert.pem'), join(home, 'key.pem')]
    await run('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '1',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ])
    shipper = await startShipper((apiKey) => ({
      SYSLOG_API_KEY: apiKey,
      SYSLOG_PORT: String(port),
      SYSLOG_TLS_PORT: String(tlsPort),
      SYSLOG_TLS_CERT_FILE: cert,
      SYSLOG_TLS_KEY_FILE: key,
    }))
  })
  afterAll(async () => {
    await shipper?.stop()
    rmSync(home, { recursive: true, force: true })
  })

  const of = (service: string) => (record: StreamedRecord) => record.service === service

  withProgram(LOGGER, 'logger of util-linux').each([
    ['RFC 3164 over TCP', ['--tcp', '--rfc3164']],
    ['RFC 3164 over UDP', ['--udp', '--rfc3164']],
    ['RFC 5424 over TCP', ['--tcp', '--rfc5424']],
    ['RFC 5424 over UDP', ['--udp', '--rfc5424']],
    ['RFC 5424 over TCP with octet counting', ['--tcp', '--rfc5424', '--octet-count']],
  ])('logger of util-linux delivers its lines as %s', async (name, options) => {
    const tag = name.replaceAll(' ', '-')
    const before = Date.now()
    for (const line of ['one', 'two: [x] ä'])
      await run(LOGGER as string, [
        '--server',
        '127.0.0.1',
        '--port',
        String(port),
        ...options,
        '--tag',
        tag,
        '--priority',
        'daemon.err',
        '--id=77',
        line,
      ])
    const records = await shipper.records(2, of(tag))
    expect(records.map(({ message }) => message).sort()).toEqual(['one', 'two: [x] ä'])
    for (const record of records) {
      expect(record).toMatchObject({
        severity: 17,
        severityText: 'err',
        attributes: { 'syslog.facility': 'daemon', 'syslog.procid': '77' },
      })
      expect(record.host).not.toBe('')
      expect(Math.abs(record.timeMs - before)).toBeLessThan(120_000)
      expect(record.flags).toBe(0)
    }
  })

  it.each([
    ['TCP', syslog.Transport.Tcp],
    ['UDP', syslog.Transport.Udp],
  ])('syslog-client delivers its lines over %s', async (name, transport) => {
    const appName = `syslog-client-${name}`
    const client = syslog.createClient('127.0.0.1', {
      port,
      transport,
      appName,
      rfc3164: false,
      syslogHostname: 'node-7',
    })
    for (let index = 0; index < 20; index++)
      await new Promise<void>((resolve, reject) => {
        client.log(
          `line ${index}`,
          { severity: syslog.Severity.Warning, facility: syslog.Facility.Local3 },
          (error: unknown) => (error ? reject(error) : resolve()),
        )
      })
    const records = await shipper.records(20, of(appName))
    client.close()
    expect(new Set(records.map(({ message }) => message.trim())).size).toBe(20)
    expect(records[0]).toMatchObject({ host: 'node-7', severity: 13, attributes: { 'syslog.facility': 'local3' } })
  })

  withProgram(RSYSLOG, 'rsyslogd')('rsyslogd forwards its lines over TCP and UDP', async () => {
    const input = await freePort()
    const config = join(home, 'rsyslog.conf')
    const forward = (protocol: string, options: string) =>
      `action(type="omfwd" target="127.0.0.1" port="${port}" protocol="${protocol}" template="RSYSLOG_SyslogProtocol23Format" ${options})`
    writeFileSync(
      config,
      `module(load="imudp")\ninput(type="imudp" port="${input}" address="127.0.0.1")\n${forward('tcp', 'TCP_Framing="octet-counted"')}\n${forward('tcp', 'TCP_Framing="traditional"')}\n${forward('udp', '')}\n`,
    )
    const daemon = spawn(RSYSLOG as string, ['-n', '-f', config, '-i', join(home, 'rsyslog.pid')], { stdio: 'ignore' })
    try {
      const socket = createSocket('udp4')
      const sender = setInterval(
        () => socket.send('<30>1 2026-11-30T11:22:33.123456Z h through-rsyslog 5 - - hello', input, '127.0.0.1'),
        100,
      )
      const records = await shipper.records(3, of('through-rsyslog'))
      clearInterval(sender)
      socket.close()
      expect(records[0]).toMatchObject({
        message: 'hello',
        host: 'h',
        timeSubNs: 456_000,
        severity: 9,
        attributes: { 'syslog.procid': '5' },
      })
    } finally {
      daemon.kill('SIGKILL')
    }
  })

  it('takes lines over TLS', async () => {
    const socket = connectTls({ port: tlsPort, host: '127.0.0.1', rejectUnauthorized: false })
    socket.end('<13>1 - h over-tls - - - one\n')
    const [record] = await shipper.records(1, of('over-tls'))
    expect(record).toMatchObject({ message: 'one', host: 'h' })
  })

  it('takes a line without an end, any bytes, and both kinds of frames in one connection, and loses no neighbour of a bad one', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write(
      Buffer.concat([
        Buffer.from('<13>1 - h mixed - - - one\n26 <13>1 - h mixed - - - t\nwo<13>1 - h mixed - - - '),
        Buffer.from([0xff, 0x00, 0x0a]),
      ]),
    )
    socket.end('<13>1 - h mixed - - - last')
    const records = await shipper.records(4, of('mixed'))
    expect(records.map(({ message }) => message).sort()).toEqual(['last', 'one', 't\nwo', '\ufffd'])
  })
})
