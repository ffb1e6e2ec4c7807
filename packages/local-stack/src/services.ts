/** A service of the stack, and where it listens by default. Ports are on 127.0.0.1. */
export interface ServiceEntry {
  name: string
  /** Relative to the repository's root; its program is dist/main.js. */
  folder: string
  /** For services with a public HTTP port. */
  httpPort?: number
  /** For services with a gRPC port. */
  grpcPort?: number
  adminPort: number
  /** Under which name others are told its gRPC address. */
  addressVariable?: string
}

/** In the order in which they are stopped: what takes work in goes first. */
export const SERVICES: readonly ServiceEntry[] = [
  { name: 'ingest-gateway', folder: 'apps/ingest-gateway', httpPort: 8080, adminPort: 8081 },
  {
    name: 'stream-consumer',
    folder: 'apps/stream-consumer',
    grpcPort: 9101,
    adminPort: 10101,
    addressVariable: 'STREAM_CONSUMER_ADDRESS',
  },
  {
    name: 'analytics-query',
    folder: 'apps/analytics-query',
    grpcPort: 9102,
    adminPort: 10102,
    addressVariable: 'ANALYTICS_QUERY_ADDRESS',
  },
  {
    name: 'health-aggregator',
    folder: 'apps/health-aggregator',
    grpcPort: 9105,
    adminPort: 10105,
    addressVariable: 'HEALTH_AGGREGATOR_ADDRESS',
  },
]

/** Default ports of the servers we start ourselves; off the usual ones, which a machine may use already. */
export const SERVER_PORTS = { postgres: 15432, streamRedis: 16379, cacheRedis: 16380 }

/** A second instance of a service listens this much higher, a third twice that. */
export const INSTANCE_PORT_STEP = 10

/** One process to start. */
export interface ServiceInstance {
  /** "stream-consumer", and for further ones "stream-consumer-2". */
  name: string
  entry: ServiceEntry
  httpPort?: number | undefined
  grpcPort?: number | undefined
  adminPort: number
}

/** A port that `owner` would like; `isWished` when the user named it. */
export interface PortRequest {
  port: number
  owner: string
  isWished: boolean
}

/** The instances to start, with `pick` choosing each port. `httpPort` is the user's wish for the first gateway. */
export async function planInstances(
  plan: { instances?: Record<string, number> | undefined; httpPort?: number | undefined },
  pick: (request: PortRequest) => Promise<number>,
): Promise<ServiceInstance[]> {
  const instances: ServiceInstance[] = []
  for (const entry of SERVICES) {
    for (let index = 0; index < (plan.instances?.[entry.name] ?? 1); index++) {
      const owner = index === 0 ? entry.name : `${entry.name}-${index + 1}`
      const choose = (port: number) => pick({ port: port + index * INSTANCE_PORT_STEP, owner, isWished: false })
      const wish = index === 0 ? plan.httpPort : undefined
      instances.push({
        name: owner,
        entry,
        adminPort: await choose(entry.adminPort),
        ...(entry.grpcPort !== undefined && { grpcPort: await choose(entry.grpcPort) }),
        ...(entry.httpPort !== undefined && {
          httpPort: wish ? await pick({ port: wish, owner, isWished: true }) : await choose(entry.httpPort),
        }),
      })
    }
  }
  return instances
}

/** What one process is told beyond the common settings: its own ports, and where the others are. */
export function instanceEnvironment(
  instance: ServiceInstance,
  all: ServiceInstance[],
  dataDir: string,
): Record<string, string> {
  const addresses = SERVICES.flatMap(({ name, addressVariable }) => {
    const ports = all.filter(({ entry }) => entry.name === name).map(({ grpcPort }) => grpcPort)
    return addressVariable && ports.length > 0 ? [[addressVariable, `127.0.0.1:${ports[0]}`]] : []
  })
  const gateway = all.find(({ httpPort }) => httpPort !== undefined)
  const admins = all.map(({ name, adminPort }) => `${name}=http://127.0.0.1:${adminPort}`)
  return {
    ...(Object.fromEntries(addresses) as Record<string, string>),
    ...(gateway !== undefined && { GATEWAY_URL: `http://127.0.0.1:${gateway.httpPort}` }),
    HTTP_HOST: '127.0.0.1',
    GRPC_HOST: '127.0.0.1',
    ADMIN_HOST: '127.0.0.1',
    ADMIN_PORT: String(instance.adminPort),
    ADMIN_URLS: admins.join(','),
    ...(instance.httpPort !== undefined && { HTTP_PORT: String(instance.httpPort) }),
    ...(instance.grpcPort !== undefined && { GRPC_PORT: String(instance.grpcPort) }),
    MILLRACE_DATA_DIR: `${dataDir}/services/${instance.name}`,
  }
}
