import { type KafkaTls, openTlsFiles, type TlsFileSettings } from './tls-files.js'

/** The settings that say how brokers are reached, as a service's configuration names them. */
export interface KafkaConnectionSettings extends TlsFileSettings {
  readonly KAFKA_BROKERS?: readonly string[] | undefined
  readonly KAFKA_CLIENT_ID?: string | undefined
  readonly KAFKA_SSL_ENABLED?: boolean | undefined
  readonly KAFKA_SASL_MECHANISM?: KafkaMechanism | undefined
  readonly KAFKA_SASL_USERNAME?: string | undefined
  readonly KAFKA_SASL_PASSWORD?: { reveal(): string } | undefined
}

type KafkaMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512'

/** How a client reaches the brokers. */
export interface KafkaConnection {
  /** `host:port` of some brokers of the cluster; the others are found through them. */
  readonly brokers: readonly string[]
  /** Shown in the brokers' logs and quotas. */
  readonly clientId: string
  /** Undefined: no TLS. */
  readonly tls?: KafkaTls
  /** Undefined: no login. */
  readonly sasl?: { readonly mechanism: KafkaMechanism; readonly username: string; readonly password: string }
}

/**
 * Reads and checks the PEM files.
 * @param onProblem called when files that were replaced later cannot be used; the earlier ones stay in use then
 * @throws STREAM_CONFIG when a file cannot be read, or when certificate and key do not belong together
 */
export function toKafkaConnection(
  settings: KafkaConnectionSettings,
  onProblem?: (error: Error) => void,
): KafkaConnection {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = settings
  return {
    brokers: settings.KAFKA_BROKERS ?? [],
    clientId: settings.KAFKA_CLIENT_ID ?? 'millrace',
    ...(settings.KAFKA_SSL_ENABLED && { tls: openTlsFiles(settings, onProblem) }),
    ...(mechanism !== undefined &&
      username !== undefined &&
      password !== undefined && { sasl: hidden({ mechanism, username, password: password.reveal() }) }),
  }
}

/** A log line or an error that shows the object does not show the password. */
function hidden<T extends { readonly password: string }>(sasl: T): T {
  const shown = { ...sasl, password: '[secret]' }
  return Object.defineProperty(sasl, 'toJSON', { value: () => shown, enumerable: false })
}
