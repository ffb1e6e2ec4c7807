import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import {
  addressSetting,
  peerEnvironment,
  planInstances,
  portEnvironment,
  SERVICES,
  type ServiceInstance,
  urlSetting,
} from './services.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

interface ComposeService {
  build?: { args?: Record<string, string> }
  environment?: Record<string, string>
  ports?: string[]
  profiles?: string[]
  depends_on?: Record<string, { required?: boolean }>
  healthcheck?: { test: string[] }
}

const compose = parse(readFileSync(`${ROOT}/docker-compose.yml`, 'utf8'), { merge: true }) as {
  services: Record<string, ComposeService>
}
const instances = await planInstances({}, async ({ port }) => port)
const names = SERVICES.map(({ name }) => name)

interface Setting {
  parse(value: undefined): unknown
}

/** The settings of a service that have a default and hold the address of a peer, from its own schema. */
async function peerDefaultsOf(name: string): Promise<Record<string, unknown>> {
  const defaultOf = await defaultsOf(name)
  const peers = instances.flatMap((peer) => [addressSetting(peer.name), urlSetting(peer.name)])
  return Object.fromEntries(
    peers.map((setting) => [setting, defaultOf(setting)]).filter(([, value]) => value !== undefined),
  )
}

/** The default of each setting of a service, from its own schema. */
async function defaultsOf(name: string): Promise<(setting: string) => unknown> {
  const { configSchema } = (await import(`${ROOT}/apps/${name}/src/config.ts`)) as {
    configSchema: { shape: Record<string, Setting> }
  }
  return (setting) => configSchema.shape[setting]?.parse(undefined)
}

describe('the table of services', () => {
  test('the table lists exactly the apps of the repository', () => {
    expect([...names].sort()).toEqual(readdirSync(`${ROOT}/apps`).sort())
  })

  test('no two ports of the table are the same', () => {
    const ports = SERVICES.flatMap(({ httpPort, grpcPort, adminPort, wirePorts = {} }) => [
      httpPort,
      grpcPort,
      adminPort,
      ...Object.values(wirePorts),
    ])
    const used = ports.filter((port) => port !== undefined)
    expect(new Set(used).size).toBe(used.length)
  })

  test.each(instances)(
    'docker-compose.yml runs $name on its ports and gives it the addresses of its peers',
    (instance) => {
      const block = compose.services[instance.name]
      expect(block?.build?.args).toEqual({ SERVICE: instance.name })
      expect(block?.environment).toMatchObject({
        ...portEnvironment(instance),
        ...peerEnvironment(instances, ({ name }) => name),
      })
    },
  )

  test('docker-compose.yml publishes the port of the public API and of no other service', () => {
    const published = Object.entries(compose.services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => [name, port]),
    )
    expect(published).toEqual([['ingest-gateway', '127.0.0.1:8080:8080']])
  })

  test('docker-compose.yml runs a Kafka broker only with the profile kafka, at the address that its first lines and docs/operations/kafka.md name', () => {
    const { profiles, environment = {}, healthcheck } = compose.services.kafka as ComposeService
    expect(profiles).toEqual(['kafka'])
    const [, address = ''] = /^PLAINTEXT:\/\/(.+)$/.exec(environment.KAFKA_ADVERTISED_LISTENERS ?? '') ?? []
    expect(address).toBe('kafka:9092')
    expect(healthcheck?.test).toContain(address)
    for (const file of ['docker-compose.yml', 'docs/operations/kafka.md'])
      expect(readFileSync(`${ROOT}/${file}`, 'utf8')).toContain(
        `STREAM_DRIVER=kafka KAFKA_BROKERS=${address} docker compose --profile kafka up --build`,
      )
  })

  test.each(names)(
    'docker-compose.yml starts %s without Kafka too, and with the STREAM_DRIVER and KAFKA_BROKERS that are given to it',
    (name) => {
      const { depends_on: needs, environment } = compose.services[name] as ComposeService
      expect(needs?.kafka).toMatchObject({ required: false })
      expect(environment?.STREAM_DRIVER).toMatch(/^\$\{STREAM_DRIVER:-redis\}$/)
      expect(environment?.KAFKA_BROKERS).toMatch(/^\$\{KAFKA_BROKERS:-\}$/)
    },
  )

  test.each(instances)('$name listens by default on the ports of the table', async (instance: ServiceInstance) => {
    const defaultOf = await defaultsOf(instance.name)
    const ports = Object.keys(portEnvironment(instance)).map((name) => [name, String(defaultOf(name))])
    expect(Object.fromEntries(ports)).toEqual(portEnvironment(instance))
  })

  test.each(names)('%s expects its peers by default at the addresses of the table', async (name) => {
    expect(peerEnvironment(instances, () => '127.0.0.1')).toMatchObject(await peerDefaultsOf(name))
  })
})

describe('planning instances', () => {
  test('a second instance has its own name and higher ports, and the peers are given the first one', async () => {
    const planned = await planInstances({ instances: { 'stream-consumer': 2 } }, async ({ port }) => port)
    expect(planned.map(({ name }) => name)).toEqual([
      'ingest-gateway',
      'stream-consumer',
      'stream-consumer-2',
      'log-shipper',
      'analytics-query',
      'health-aggregator',
    ])
    expect(planned[2]).toMatchObject({ grpcPort: 9111, adminPort: 10111 })
    const env = peerEnvironment(planned, () => 'host')
    expect(env.STREAM_CONSUMER_ADDRESS).toBe('host:9101')
    expect(env.ADMIN_URLS).toContain('stream-consumer-2=http://host:10111')
  })

  test('only the first gateway gets the HTTP port that the user chose', async () => {
    const asked: [string, number, boolean][] = []
    await planInstances({ instances: { 'ingest-gateway': 2 }, httpPort: 9000 }, async ({ port, owner, isWished }) => {
      asked.push([owner, port, isWished])
      return port
    })
    expect(asked).toContainEqual(['ingest-gateway', 9000, true])
    expect(asked).toContainEqual(['ingest-gateway-2', 8090, false])
  })
})
