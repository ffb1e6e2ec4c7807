import { readFileSync } from 'node:fs'
import { checkKafka } from './drivers/kafka/check-kafka.js'
import type { KafkaConnectionSettings } from './drivers/kafka/connection.js'

// Usage: node packages/streams/dist/check-cli.js
// Checks the brokers that the environment names by KAFKA_BROKERS, with TLS and a login as it says. Prints a sentence for a problem and ends with exit code 1.
// The settings are valid already: another program checks each of them.

const password = readPassword(process.env)
if ('problem' in password) fail(password.problem)
else {
  const state = await checkKafka(readSettings(process.env, password.value))
  if (state.kind !== 'ok') fail(state.problem)
}

function fail(problem: string): void {
  process.stdout.write(`${problem}\n`)
  process.exitCode = 1
}

function readPassword(env: NodeJS.ProcessEnv): { value: string | undefined } | { problem: string } {
  const file = env.KAFKA_SASL_PASSWORD_FILE
  if (!file) return { value: env.KAFKA_SASL_PASSWORD }
  try {
    return { value: readFileSync(file, 'utf8').replace(/\r?\n$/, '') }
  } catch (error) {
    return { problem: `the file of KAFKA_SASL_PASSWORD_FILE cannot be read: ${(error as Error).message}` }
  }
}

function readSettings(env: NodeJS.ProcessEnv, password: string | undefined): KafkaConnectionSettings {
  const mechanism = env.KAFKA_SASL_MECHANISM || undefined
  return {
    KAFKA_BROKERS: (env.KAFKA_BROKERS ?? '').split(',').flatMap((broker) => broker.trim() || []),
    KAFKA_CLIENT_ID: env.KAFKA_CLIENT_ID || undefined,
    KAFKA_SSL_ENABLED: /^(true|1)$/.test(env.KAFKA_SSL_ENABLED ?? ''),
    KAFKA_SSL_CA: env.KAFKA_SSL_CA || undefined,
    KAFKA_SSL_CERT: env.KAFKA_SSL_CERT || undefined,
    KAFKA_SSL_KEY: env.KAFKA_SSL_KEY || undefined,
    KAFKA_SSL_SERVER_NAME: env.KAFKA_SSL_SERVER_NAME || undefined,
    KAFKA_SASL_MECHANISM: mechanism as KafkaConnectionSettings['KAFKA_SASL_MECHANISM'],
    KAFKA_SASL_USERNAME: env.KAFKA_SASL_USERNAME || undefined,
    KAFKA_SASL_PASSWORD: password ? { reveal: () => password } : undefined,
  }
}
