import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { client, v2 } from '@datadog/datadog-api-client'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { freePort } from '@millrace/testing'
import { type StreamedRecord, startShipper, type TestShipper } from '../start-shipper.js'

// The packages have no types that fit.
const require = createRequire(import.meta.url)
const gelf = require('gelf-pro')
const { Logger: SplunkLogger } = require('splunk-logging')

const of = (service: string) => (record: StreamedRecord) => record.service === service

describe('log-shipper', () => {
  let shipper: TestShipper
  let gelfPort: number

  beforeAll(async () => {
    gelfPort = await freePort()
    shipper = await startShipper((key) => ({ GELF_API_KEY: key, GELF_PORT: String(gelfPort) }))
  })
  afterAll(() => shipper?.stop())

  describe('the Datadog API client, unmodified', () => {
    const createApi = (key = shipper.key) =>
      new v2.LogsApi(
        client.createConfiguration({
          baseServer: new client.BaseServerConfiguration(shipper.origin, {}),
          authMethods: { apiKeyAuth: key },
        }),
      )

    it.each(['identity', 'gzip', 'deflate'] as const)('delivers every log by %s', async (contentEncoding) => {
      const service = `datadog ${contentEncoding}`
      const body = Array.from({ length: 100 }, (_, index) => ({
        message: `line ${index}`,
        service,
        hostname: 'node-1',
        ddsource: 'nodejs',
        ddtags: 'env:prod',
        additionalProperties: { status: 'error', timestamp: '1764499999123', index: String(index) },
      }))
      expect(await createApi().submitLog({ body, contentEncoding, ddtags: 'version:7' })).toEqual({})
      const records = await shipper.records(100, of(service))
      expect(new Set(records.map(({ message }) => message)).size).toBe(100)
      expect(records.find(({ message }) => message === 'line 7')).toMatchObject({
        timeMs: 1_764_499_999_123,
        severity: 17,
        host: 'node-1',
        attributes: { ddsource: 'nodejs', ddtags: { env: 'prod', version: '7' }, index: '7' },
      })
    })

    it('learns in its form why a request was refused', async () => {
      await expect(createApi('mr_nobody').submitLog({ body: [{ message: 'x' }] })).rejects.toMatchObject({
        code: 401,
        body: { errors: [{ status: '401', title: 'KEY_INVALID' }] },
      })
    })
  })

  describe('the intake of Datadog', () => {
    it('takes text and the first version of the API, whose key may be in the path', async () => {
      const v1 = await fetch(`${shipper.origin}/v1/input/${shipper.key}?ddtags=a:b&service=datadog%20v1`, {
        method: 'POST',
        body: 'one\ntwo',
        headers: { 'content-type': 'text/plain' },
      })
      expect([v1.status, await v1.json()]).toEqual([200, {}])
      const bad = await fetch(`${shipper.origin}/api/v2/logs`, {
        method: 'POST',
        body: '[{"message":"x"},5]',
        headers: { 'content-type': 'application/json', 'dd-api-key': shipper.key },
      })
      expect([bad.status, ((await bad.json()) as { errors: { detail: string }[] }).errors[0]?.detail]).toEqual([
        202,
        '1 refused: record 1: a log must be a JSON object',
      ])
      expect(await shipper.records(2, of('datadog v1'))).toMatchObject([{ message: 'one' }, { message: 'two' }])
    })
  })

  describe('splunk-logging, unmodified', () => {
    it('delivers every event, in batches', async () => {
      const logger = new SplunkLogger({ token: shipper.key, url: shipper.origin, maxBatchCount: 25 })
      const failures: unknown[] = []
      logger.error = (error: unknown) => failures.push(error)
      const answers: unknown[] = []
      for (let index = 0; index < 100; index++)
        logger.send(
          {
            message: { message: `line ${index}`, index },
            severity: 'warn',
            metadata: { time: 1_764_499_999_123, host: 'node-1', source: 'splunk client', sourcetype: 'json' },
          },
          (error: unknown, _response: unknown, body: unknown) => answers.push(error ?? body),
        )
      const records = await shipper.records(100, of('splunk client'))
      expect(failures).toEqual([])
      expect(answers.every((body) => (body as { code: number }).code === 0)).toBe(true)
      expect(records).toHaveLength(100)
      expect(records.find(({ message }) => message === 'line 7')).toMatchObject({
        timeMs: 1_764_499_999_123,
        severity: 13,
        host: 'node-1',
        attributes: { index: 7, source: 'splunk client', sourcetype: 'json' },
      })
    })
  })

  describe('the HTTP Event Collector of Splunk', () => {
    const post = async (path: string, body: string | Buffer, headers: Record<string, string> = {}) => {
      const response = await fetch(`${shipper.origin}/services/collector${path}`, {
        method: 'POST',
        body: new Uint8Array(Buffer.from(body)),
        headers: { authorization: `Splunk ${shipper.key}`, ...headers },
      })
      return [response.status, await response.json()]
    }
    const event = '{"event":"m","source":"splunk hec","time":1764499999.123456789}'

    it('answers with the codes of Splunk', async () => {
      expect(await post('', event)).toEqual([200, { text: 'Success', code: 0 }])
      expect(await post('/event/1.0', gzipSync(event + event), { 'content-encoding': 'gzip' })).toMatchObject([
        200,
        { code: 0 },
      ])
      expect(await post('/event', '')).toEqual([400, { text: 'No data', code: 5 }])
      expect(await post('/event', '{"a":')).toMatchObject([400, { code: 6, 'invalid-event-number': 0 }])
      expect(await post('/event', `${event}{"time":1}`)).toMatchObject([400, { code: 12, 'invalid-event-number': 1 }])
      expect(await post('/event', `${event}{"event":""}`)).toMatchObject([400, { code: 13, 'invalid-event-number': 1 }])
      expect(await post('/event', '{"event":"m","fields":5}')).toMatchObject([400, { code: 15 }])
      expect(await post('/event', event, { authorization: '' })).toMatchObject([401, { code: 2 }])
      expect(await post('/event', event, { authorization: 'Splunk mr_nobody' })).toMatchObject([401, { code: 4 }])
      expect(await post('/raw?source=splunk%20hec&time=1764499999.5', 'one\ntwo')).toMatchObject([200, { code: 0 }])
      const records = await shipper.records(7, of('splunk hec'))
      expect(records.map(({ message }) => message).sort()).toEqual(['m', 'm', 'm', 'm', 'm', 'one', 'two'])
      expect(records.find(({ message }) => message === 'm')).toMatchObject({
        timeMs: 1_764_499_999_123,
        timeSubNs: 456_789,
      })
    })

    it('gives a client with a channel an id, and says of it that its events are safe', async () => {
      const channel = { 'x-splunk-request-channel': '0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba' }
      const [status, answer] = await post('/event', event, channel)
      const { ackId } = answer as { ackId: number }
      expect([status, Number.isInteger(ackId)]).toEqual([200, true])
      expect(await post('/ack', JSON.stringify({ acks: [ackId] }), channel)).toEqual([200, { acks: { [ackId]: true } }])
      expect(await post('/ack', '{"acks":[0]}')).toMatchObject([400, { code: 10 }])
      expect(await post('/ack', '{"acks":["x"]}', channel)).toMatchObject([400, { code: 6 }])
    })

    it('says without a key whether it can take events, and answers the check of Docker', async () => {
      const health = await fetch(`${shipper.origin}/services/collector/health`)
      expect([health.status, await health.json()]).toEqual([200, { text: 'HEC is healthy', code: 17 }])
      const check = await fetch(`${shipper.origin}/services/collector/event/1.0`, { method: 'OPTIONS' })
      expect(check.status).toBe(200)
    })
  })

  describe('gelf-pro, unmodified', () => {
    it.each([
      ['udp', 'short'],
      ['udp', 'in chunks'],
      ['tcp', 'short'],
      ['tcp', 'in chunks'],
    ])('delivers messages over %s, %s', async (adapterName, size) => {
      const service = `gelf ${adapterName} ${size}`
      // Words that do not compress, so that they need several datagrams; masking takes none of them for a secret.
      const letter = () => String.fromCharCode(97 + Math.floor(Math.random() * 26))
      const text = Array.from({ length: size === 'short' ? 1 : 8_000 }, () => letter() + letter() + letter()).join(' ')
      const log = gelf.setConfig({
        adapterName,
        adapterOptions: { host: '127.0.0.1', port: gelfPort },
        fields: { service },
      })
      for (let index = 0; index < 5; index++)
        await new Promise<void>((resolve, reject) =>
          log.error(`line ${index}`, { index, text, full_message: undefined }, (error: unknown) =>
            error ? reject(error) : resolve(),
          ),
        )
      const records = await shipper.records(5, of(service))
      expect(new Set(records.map(({ message }) => message))).toEqual(
        new Set([0, 1, 2, 3, 4].map((index) => `line ${index}`)),
      )
      expect(records[0]).toMatchObject({ severity: 17, severityText: 'err' })
      expect(records.every(({ attributes }) => attributes.text === text)).toBe(true)
      expect(records[0]?.host).not.toBe('')
    })
  })

  describe('GELF', () => {
    it('comes over HTTP, alone or one a line', async () => {
      const message = '{"version":"1.1","host":"h","short_message":"m","_service":"gelf http"}'
      const send = (body: string) =>
        fetch(`${shipper.origin}/gelf`, { method: 'POST', body, headers: { authorization: `Bearer ${shipper.key}` } })
      expect((await send(message)).status).toBe(202)
      expect((await send(`${message}\n${message}\n`)).status).toBe(202)
      const bad = await send(`${message}\n{"a":\n${message}`)
      expect([bad.status, await bad.text()]).toEqual([400, expect.stringContaining('1 refused: record 1:')])
      expect((await send('nothing')).status).toBe(400)
      expect(await shipper.records(5, of('gelf http'))).toHaveLength(5)
    })

    it('loses no neighbour of a message that is broken or too long', async () => {
      const socket = connect(gelfPort, '127.0.0.1')
      const message = '{"short_message":"m","_service":"gelf mixed"}'
      socket.write(`${message}\0{"broken":\0${message}\0"${'x'.repeat(5 * 1_048_576)}"\0`)
      socket.end(message)
      expect(await shipper.records(3, of('gelf mixed'))).toHaveLength(3)
    })
  })
})
