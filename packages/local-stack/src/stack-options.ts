export interface StackOptions {
  /** Receives one line for each step. */
  say: (line: string) => void
  /** The directory of all data and logs. It is created if it does not exist. */
  dataDir: string
  /** `default`: the ports of the table of services, with an error when one is in use. `free`: any free ports. Default `default`. */
  ports?: 'default' | 'free' | undefined
  /** HTTP port of the first gateway. Default: that of the table of services. */
  httpPort?: number | undefined
  /** Number of instances by service name. Default 1 each. */
  instances?: Record<string, number> | undefined
  /** Added to the environment of every service. DATABASE_URL, REDIS_URL, KAFKA_BROKERS and the like replace our servers; STREAM_DRIVER decides which server holds the stream. */
  env?: Record<string, string> | undefined
  /** Added to the environment of one instance or of all instances of a service, by name. */
  serviceEnv?: Record<string, Record<string, string>> | undefined
  /** Options for Node itself (profiling, heap limits), by name. */
  nodeOptions?: Record<string, string[]> | undefined
  postgresBinaries?: 'embedded' | 'system' | 'auto' | undefined
  /** Default `scram`, with a password generated once. */
  postgresAuth?: 'trust' | 'scram' | undefined
  postgresSettings?: Record<string, string> | undefined
  /** Segments of 16 MB that the write-ahead log of a new cluster has from the start. Default 64, which takes some seconds of the first start; use 0 for temporary stacks. */
  walSegments?: number | undefined
  streamRedisSettings?: Record<string, string> | undefined
  /** Properties of the Kafka broker that a stack with STREAM_DRIVER kafka starts. */
  kafkaSettings?: Record<string, string> | undefined
  cacheRedisSettings?: Record<string, string> | undefined
  writeKey?: string | undefined
  adminKey?: string | undefined
  /** Number of failures in a row after which a process is not restarted. Default 5. */
  deathsMax?: number | undefined
  /** Root of the repository. Default: the one that contains this package. */
  root?: string | undefined
}
