import { type Calls, createGrpcClient, type GrpcClientConfig, type Lifecycle } from '@millrace/service'
import { createGrpcMetrics, type ResilienceMetrics } from '@millrace/telemetry'

/** A service that this one calls by gRPC. */
export interface PeerService extends Pick<GrpcClientConfig, 'deadlineMs'> {
  /** Name of the service, for metrics and log lines. */
  readonly name: string
  /** host:port */
  readonly address: string
  readonly service: Parameters<typeof createGrpcClient>[0]['service']
}

/** The calls of each peer service, under the name that the table gives it. */
export type Peers<Services extends Readonly<Record<string, PeerService>>> = {
  readonly [Name in keyof Services]: Calls<Services[Name]['service']>
}

/** Opens a client for each peer service. Clients connect with their first call, so peers may be down at the start. */
export async function startPeers<Services extends Readonly<Record<string, PeerService>>>(
  services: Services,
  { lifecycle, resilienceMetrics }: { lifecycle: Lifecycle; resilienceMetrics: ResilienceMetrics },
): Promise<Peers<Services>> {
  const { metrics, tracer, logger } = lifecycle
  const deps = { metrics: createGrpcMetrics(metrics), tracer, logger, resilienceMetrics }
  const peers: Partial<Record<keyof Services, unknown>> = {}
  for (const [key, { service, address, ...config }] of Object.entries(services) as [keyof Services, PeerService][]) {
    const open = () => createGrpcClient({ service }, address, config, deps)
    peers[key] = await lifecycle.start(`${config.name} client`, open)
  }
  return peers as Peers<Services>
}
