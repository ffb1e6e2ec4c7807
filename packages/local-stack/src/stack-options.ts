export interface StackOptions {
  /** Told what is done, one line each. */
  say: (line: string) => void
  /** Holds all data and logs; made if need be. */
  dataDir: string
  /** `default`: the ports of the service table, an error when one is taken. `free`: any. Default `default`. */
  ports?: 'default' | 'free' | undefined
  /** Of the first gateway, instead of its default. */
  httpPort?: number | undefined
  /** Default 1 each; by the service's name. */
  instances?: Record<string, number> | undefined
  /** Added to the environment of every service; names of servers (DATABASE_URL, REDIS_URL, …) are obeyed. */
  env?: Record<string, string> | undefined
  /** Added to the environment of one instance or of all of a service, by name. */
  serviceEnv?: Record<string, Record<string, string>> | undefined
  /** Options for Node itself (profiling, heap limits), by name. */
  nodeOptions?: Record<string, string[]> | undefined
  postgresBinaries?: 'embedded' | 'system' | 'auto' | undefined
  /** Default `scram`, with a password generated once. */
  postgresAuth?: 'trust' | 'scram' | undefined
  postgresSettings?: Record<string, string> | undefined
  /** Segments of 16 MB that the write-ahead log of a new cluster has from the start. Default 64, some seconds of the first start; 0 for what is thrown away. */
  walSegments?: number | undefined
  streamRedisSettings?: Record<string, string> | undefined
  cacheRedisSettings?: Record<string, string> | undefined
  writeKey?: string | undefined
  adminKey?: string | undefined
  /** How many deaths of one process within a minute end its supervision. Default 5. */
  deathsMax?: number | undefined
  /** The repository. Default: the one this package lies in. */
  root?: string | undefined
}
