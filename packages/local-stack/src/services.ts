/** One service of the stack and its default ports, all on 127.0.0.1. */
export interface ServiceEntry {
  /** Also the name of its folder below apps/, of its container and of its log file. */
  name: string
  /** Port of the HTTP server besides the admin server, for a service that has one. */
  httpPort?: number
  /** Port of the gRPC server, for a service that has one. */
  grpcPort?: number
  /** Port of /live, /ready, /startup, /metrics and /log-level. */
  adminPort: number
  /** Further ports by the setting that holds each. */
  wirePorts?: Record<string, number>
}

/**
 * The services of the product, in the order in which they are stopped: the one that accepts new work first. To add a service, add a line here and a
 * block in docker-compose.yml; services.test.ts says what that block lacks.
 */
export const SERVICES: readonly ServiceEntry[] = [
  { name: 'ingest-gateway', httpPort: 8080, adminPort: 8081 },
  { name: 'stream-consumer', grpcPort: 9101, adminPort: 10101 },
  {
    name: 'log-shipper',
    httpPort: 4318,
    grpcPort: 9103,
    adminPort: 10103,
    wirePorts: { OTLP_GRPC_PORT: 4317, FORWARD_PORT: 24224, SYSLOG_PORT: 5514, GELF_PORT: 12201 },
  },
  { name: 'analytics-query', grpcPort: 9102, adminPort: 10102 },
  { name: 'health-aggregator', grpcPort: 9105, adminPort: 10105 },
]

/** The service with the public HTTP API. */
export const GATEWAY = 'ingest-gateway'

/** Preferred ports of the servers that we start ourselves. They differ from the usual ones, which may be in use on the machine. */
export const SERVER_PORTS = { postgres: 15432, streamRedis: 16379, cacheRedis: 16380, kafka: 19092 }

/** Each further instance of a service prefers ports that are this much higher than those of the instance before. */
export const INSTANCE_PORT_STEP = 10

/** The compiled program of a service, relative to the root of the repository. */
export function serviceProgram(name: string): string {
  return `apps/${name}/dist/main.js`
}

/** The setting by which other services learn the gRPC address of a service: "stream-consumer" is found by STREAM_CONSUMER_ADDRESS. */
export function addressSetting(name: string): string {
  return `${name.replaceAll('-', '_').toUpperCase()}_ADDRESS`
}

/** One process to start. */
export interface ServiceInstance {
  /** "stream-consumer" for the first instance, then "stream-consumer-2". */
  name: string
  entry: ServiceEntry
  httpPort?: number | undefined
  grpcPort?: number | undefined
  adminPort: number
  /** By the setting that holds each. */
  wirePorts: Record<string, number>
}

/** The port that `owner` prefers. `isWished` is true when the user chose it. */
export interface PortRequest {
  port: number
  owner: string
  isWished: boolean
}

export interface InstancePlan {
  /** Number of instances by service name. Default 1 each. */
  instances?: Record<string, number> | undefined
  /** The user's choice of HTTP port for the first gateway. */
  httpPort?: number | undefined
}

/** Plans the instances to start. `pick` decides each port. */
export async function planInstances(
  plan: InstancePlan,
  pick: (request: PortRequest) => Promise<number>,
): Promise<ServiceInstance[]> {
  const instances: ServiceInstance[] = []
  for (const entry of SERVICES) {
    for (let index = 0; index < (plan.instances?.[entry.name] ?? 1); index++) {
      const owner = index === 0 ? entry.name : `${entry.name}-${index + 1}`
      const choose = (port: number) => pick({ port: port + index * INSTANCE_PORT_STEP, owner, isWished: false })
      const wirePorts: Record<string, number> = {}
      for (const [setting, port] of Object.entries(entry.wirePorts ?? {})) wirePorts[setting] = await choose(port)
      const wish = index === 0 && entry.name === GATEWAY ? plan.httpPort : undefined
      instances.push({
        name: owner,
        entry,
        adminPort: await choose(entry.adminPort),
        wirePorts,
        ...(entry.grpcPort !== undefined && { grpcPort: await choose(entry.grpcPort) }),
        ...(entry.httpPort !== undefined && {
          httpPort: wish ? await pick({ port: wish, owner, isWished: true }) : await choose(entry.httpPort),
        }),
      })
    }
  }
  return instances
}

/** The setting by which the gateway learns where a service with an HTTP server of its own is: "log-shipper" is found by LOG_SHIPPER_URL. */
export function urlSetting(name: string): string {
  return `${name.replaceAll('-', '_').toUpperCase()}_URL`
}

/** The settings that tell services where the other services are. `hostOf` gives the host by which an instance is reached. */
export function peerEnvironment(
  instances: readonly ServiceInstance[],
  hostOf: (instance: ServiceInstance) => string,
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const { name } of SERVICES) {
    const first = instances.find(({ entry, grpcPort }) => entry.name === name && grpcPort !== undefined)
    if (first) env[addressSetting(name)] = `${hostOf(first)}:${first.grpcPort}`
  }
  for (const instance of instances) {
    const { entry, httpPort } = instance
    if (entry.name === GATEWAY || httpPort === undefined || instance.name !== entry.name) continue
    env[urlSetting(entry.name)] = `http://${hostOf(instance)}:${httpPort}`
  }
  const gateway = instances.find(({ entry }) => entry.name === GATEWAY)
  if (gateway) env.GATEWAY_URL = `http://${hostOf(gateway)}:${gateway.httpPort}`
  const admins = instances.map((instance) => `${instance.name}=http://${hostOf(instance)}:${instance.adminPort}`)
  return { ...env, ADMIN_URLS: admins.join(',') }
}

/** The settings of one process beyond the common ones: its own ports and data directory, and the addresses of the other services. */
export function instanceEnvironment(
  instance: ServiceInstance,
  all: readonly ServiceInstance[],
  dataDir: string,
): Record<string, string> {
  return {
    ...peerEnvironment(all, () => '127.0.0.1'),
    HTTP_HOST: '127.0.0.1',
    GRPC_HOST: '127.0.0.1',
    ADMIN_HOST: '127.0.0.1',
    ...portEnvironment(instance),
    MILLRACE_DATA_DIR: `${dataDir}/services/${instance.name}`,
  }
}

/** The settings that tell a process which ports to listen on. */
export function portEnvironment({ httpPort, grpcPort, adminPort, wirePorts }: ServiceInstance): Record<string, string> {
  return {
    ...(httpPort !== undefined && { HTTP_PORT: String(httpPort) }),
    ...(grpcPort !== undefined && { GRPC_PORT: String(grpcPort) }),
    ADMIN_PORT: String(adminPort),
    ...Object.fromEntries(Object.entries(wirePorts).map(([setting, port]) => [setting, String(port)])),
  }
}
