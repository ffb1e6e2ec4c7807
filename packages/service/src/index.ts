export { findContradictions } from './agreement/setting-rules.js'
export { agreeOnSettings, readPublishedSettings } from './agreement/settings-agreement.js'
export { archiveRules, archiveSettings } from './config/archive-settings.js'
export { type ConfigOf, type ConfigSchema, defineConfig } from './config/define-config.js'
export { describeConfig } from './config/describe-config.js'
export { mirrorRule, mirrorSettings } from './config/mirror-settings.js'
export { isSlip } from './config/misspelled.js'
export { ConfigError, type Environment, parseConfig } from './config/parse-config.js'
export { address, directory, host, pemFile } from './config/place-settings.js'
export { producerSettings } from './config/producer-settings.js'
export { Secret } from './config/secret.js'
export {
  cacheRedisRule,
  checkDatabaseUrl,
  checkRedisUrl,
  type DatabaseSettingsOptions,
  databaseSettings,
  eventTimeSettings,
  logStreamSettings,
  redisReplicasRule,
  streamRules,
  streamServerSettings,
  streamSettings,
} from './config/server-settings.js'
export { serviceSettings } from './config/service-settings.js'
export {
  boolean,
  choice,
  decimal,
  integer,
  list,
  name,
  port,
  type Setting,
  secret,
  text,
  url,
} from './config/settings.js'
export { atMostRule, checkRules, eventTimesRule } from './config/settings-rules.js'
export { replaceSettingsTable } from './config/settings-table.js'
export type { CallContext } from './grpc/call-context.js'
export type { CallIdentity } from './grpc/call-metadata.js'
export {
  type CallOptions,
  type Calls,
  createGrpcClient,
  type GrpcClientConfig,
  type GrpcClientDeps,
} from './grpc/create-grpc-client.js'
export { type GrpcService, type Handlers, implementService } from './grpc/implement-service.js'
export {
  type GrpcServer,
  type GrpcServerConfig,
  type GrpcServerDeps,
  startGrpcServer,
} from './grpc/start-grpc-server.js'
export { tenantOf } from './grpc/tenant-of.js'
export { createHttpApp, type HttpAppConfig, type HttpAppDeps } from './http/create-http-app.js'
export { type RequestIds, readRequestIds } from './http/request-context.js'
export { createSecurityHeaders } from './http/security-headers.js'
export { problemHeaders, sendProblem } from './http/send-problem.js'
export { type HttpServerConfig, startHttpServer } from './http/start-http-server.js'
export type { Lifecycle, ReadinessCheck, Started } from './lifecycle/lifecycle.js'
export { type ListenAddress, toListenError } from './lifecycle/listen-error.js'
export type { PeriodicTask } from './lifecycle/periodic-task.js'
export { runService, type ServiceDefinition } from './run-service.js'
export type { ServiceConfig, ServiceHost } from './running-service.js'
