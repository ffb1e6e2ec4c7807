import { checkKafka } from './drivers/kafka/check-kafka.js'

// Usage: node packages/streams/dist/check-cli.js
// Checks the Kafka brokers that the environment variables KAFKA_… name. Prints a sentence if there is a problem and ends with exit code 1 then.

const { env } = process
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
const password = env.KAFKA_SASL_PASSWORD
const state = await checkKafka({
  KAFKA_BROKERS: (env.KAFKA_BROKERS ?? '')
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== ''),
  KAFKA_CLIENT_ID: env.KAFKA_CLIENT_ID,
  KAFKA_SSL_ENABLED: /^(true|1)$/.test(env.KAFKA_SSL_ENABLED ?? ''),
  KAFKA_SSL_CA: env.KAFKA_SSL_CA,
  KAFKA_SSL_CERT: env.KAFKA_SSL_CERT,
  KAFKA_SSL_KEY: env.KAFKA_SSL_KEY,
  KAFKA_SSL_SERVER_NAME: env.KAFKA_SSL_SERVER_NAME,
  KAFKA_SASL_MECHANISM: mechanisms.find((one) => one === env.KAFKA_SASL_MECHANISM),
  KAFKA_SASL_USERNAME: env.KAFKA_SASL_USERNAME,
  KAFKA_SASL_PASSWORD: password === undefined ? undefined : { reveal: () => password },
})
if (state.kind !== 'ok') {
  process.stdout.write(`${state.problem}\n`)
  process.exitCode = 1
}
