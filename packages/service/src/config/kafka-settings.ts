import { isAddress, pemFile } from './place-settings.js'
import type { Secret } from './secret.js'
import { boolean, choice, integer, list, name, secret, text } from './settings.js'
import type { SettingsRule } from './settings-rules.js'

/** The settings of a service that uses the brokers of a Kafka cluster; `kafkaRules` checks them together. */
export function kafkaSettings() {
  return {
    KAFKA_BROKERS: list({
      default: [],
      items: { are: 'brokers as host:port', isValid: isAddress },
      description:
        'bootstrap servers of the Kafka cluster, as host:port; one that answers is enough to find all brokers; required with STREAM_DRIVER kafka and with KAFKA_MIRROR_TOPIC',
    }),
    KAFKA_CLIENT_ID: name({
      default: 'millrace',
      description: 'client.id: the name of Millrace in the logs, metrics and quotas of the brokers',
    }),
    KAFKA_SSL_ENABLED: boolean({ default: false, description: 'whether to use TLS for connections to the brokers' }),
    KAFKA_SSL_CA: pemFile({
      optional: true,
      description:
        'PEM file with the certificate authorities (CAs) that are trusted to sign the certificates of the brokers; default: the CAs that Node.js trusts',
    }),
    KAFKA_SSL_CERT: pemFile({
      optional: true,
      description: 'PEM file with the certificate of this client, for brokers that ask for one',
    }),
    KAFKA_SSL_KEY: pemFile({ optional: true, description: 'PEM file with the private key of KAFKA_SSL_CERT' }),
    KAFKA_SSL_SERVER_NAME: name({
      optional: true,
      description:
        'host name that the certificates of all brokers must have; default: the host under which each broker is reached',
    }),
    KAFKA_SASL_MECHANISM: choice(['plain', 'scram-sha-256', 'scram-sha-512'], {
      optional: true,
      description:
        'SASL mechanism of the login to the brokers; there is no login without it; plain sends the password unencrypted, so use it with TLS',
    }),
    KAFKA_SASL_USERNAME: text({ optional: true, description: 'user name of the login to the brokers' }),
    KAFKA_SASL_PASSWORD: secret({ optional: true, description: 'password of the login to the brokers' }),
    KAFKA_REPLICATION_FACTOR: integer({
      default: -1,
      min: -1,
      max: 100,
      unit: 'replicas',
      description:
        'replication factor of topics that Millrace creates, and the least that an existing topic of the stream may have; -1: default.replication.factor of the brokers',
    }),
    KAFKA_MIN_INSYNC_REPLICAS: integer({
      optional: true,
      min: 1,
      max: 100,
      unit: 'replicas',
      description:
        'min.insync.replicas of topics that Millrace creates, and the least that an existing topic of the stream may have: the number of replicas that must have an event before it is acknowledged; default: 2 for topics with 3 or more replicas, else 1',
    }),
  }
}

/** What the rules need of a configuration with `kafkaSettings`. */
export interface KafkaValues {
  readonly KAFKA_SSL_ENABLED: boolean
  readonly KAFKA_SSL_CA?: string | undefined
  readonly KAFKA_SSL_CERT?: string | undefined
  readonly KAFKA_SSL_KEY?: string | undefined
  readonly KAFKA_SSL_SERVER_NAME?: string | undefined
  readonly KAFKA_SASL_MECHANISM?: string | undefined
  readonly KAFKA_SASL_USERNAME?: string | undefined
  readonly KAFKA_SASL_PASSWORD?: Secret | undefined
  readonly KAFKA_REPLICATION_FACTOR: number
  readonly KAFKA_MIN_INSYNC_REPLICAS?: number | undefined
}

/** Rules over the settings of Kafka, for `checkRules`. */
export const kafkaRules = [
  loginRule,
  tlsRule,
  clientCertificateRule,
  replicationRule,
] as const satisfies readonly SettingsRule<KafkaValues>[]

const LOGIN = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const

function loginRule(config: KafkaValues): string | undefined {
  const set = LOGIN.filter((setting) => config[setting] !== undefined)
  const missing = LOGIN.filter((setting) => config[setting] === undefined)
  if (set.length === 0 || missing.length === 0) return undefined
  return `${set.join(' and ')} ${are(set)} set, but ${missing.join(' and ')} ${are(missing)} not: a login to the brokers needs all three.`
}

function are(settings: readonly string[]): string {
  return settings.length === 1 ? 'is' : 'are'
}

function tlsRule(config: KafkaValues): string | undefined {
  if (config.KAFKA_SSL_ENABLED) return undefined
  const setting = (['KAFKA_SSL_CA', 'KAFKA_SSL_CERT', 'KAFKA_SSL_KEY', 'KAFKA_SSL_SERVER_NAME'] as const).find(
    (one) => config[one] !== undefined,
  )
  if (setting === undefined) return undefined
  return `${setting} is set, but KAFKA_SSL_ENABLED is false: set KAFKA_SSL_ENABLED to true, or leave ${setting} unset.`
}

function clientCertificateRule({ KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key }: KafkaValues): string | undefined {
  if ((cert === undefined) === (key === undefined)) return undefined
  const [set, missing] = key === undefined ? ['KAFKA_SSL_CERT', 'KAFKA_SSL_KEY'] : ['KAFKA_SSL_KEY', 'KAFKA_SSL_CERT']
  return `${set} is set, but ${missing} is not: a client certificate needs both.`
}

function replicationRule(config: KafkaValues): string | undefined {
  const { KAFKA_REPLICATION_FACTOR: factor, KAFKA_MIN_INSYNC_REPLICAS: inSync } = config
  if (factor === 0)
    return 'KAFKA_REPLICATION_FACTOR is 0: set it to the number of brokers that store each partition, or to -1 for the default of the brokers.'
  if (factor < 0 || inSync === undefined || inSync <= factor) return undefined
  return `KAFKA_MIN_INSYNC_REPLICAS is ${inSync}, but KAFKA_REPLICATION_FACTOR is ${factor}: no event could be acknowledged; set KAFKA_MIN_INSYNC_REPLICAS to at most ${factor}.`
}
