import { readFileSync } from 'node:fs'

/** The settings that say how brokers are reached, as a service's configuration names them. */
export interface KafkaConnectionSettings {
  readonly KAFKA_BROKERS?: readonly string[] | undefined
  readonly KAFKA_CLIENT_ID?: string | undefined
  readonly KAFKA_SSL_ENABLED?: boolean | undefined
  /** Paths of PEM files. */
  readonly KAFKA_SSL_CA?: string | undefined
  readonly KAFKA_SSL_CERT?: string | undefined
  readonly KAFKA_SSL_KEY?: string | undefined
  readonly KAFKA_SASL_MECHANISM?: 'plain' | 'scram-sha-256' | 'scram-sha-512' | undefined
  readonly KAFKA_SASL_USERNAME?: string | undefined
  readonly KAFKA_SASL_PASSWORD?: { reveal(): string } | undefined
}

/** How a client reaches the brokers. */
export interface KafkaConnection {
  /** `host:port` of some brokers of the cluster; the others are found through them. */
  readonly brokers: readonly string[]
  /** Shown in the brokers' logs and quotas. */
  readonly clientId: string
  /** TLS; certificates and keys as PEM text. Undefined: no TLS. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
}

/** Reads the PEM files. */
export function toKafkaConnection(settings: KafkaConnectionSettings): KafkaConnection {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = settings
  return {
    brokers: settings.KAFKA_BROKERS ?? [],
    clientId: settings.KAFKA_CLIENT_ID ?? 'millrace',
    ...(settings.KAFKA_SSL_ENABLED && { tls: readTls(settings) }),
    ...(mechanism !== undefined &&
      username !== undefined &&
      password !== undefined && { sasl: { mechanism, username, password: password.reveal() } }),
  }
}

function readTls(settings: KafkaConnectionSettings): NonNullable<KafkaConnection['tls']> {
  const { KAFKA_SSL_CA: ca, KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key } = settings
  const files = Object.entries({ ca, cert, key }).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(files.map(([name, path]) => [name, readFileSync(path, 'utf8')]))
}
