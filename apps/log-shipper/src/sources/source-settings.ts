import { boolean, host, integer, pemFile, port, secret } from '@millrace/service'

/**
 * The settings of the wires that are not HTTP. A wire whose clients cannot send a key listens only when its key is set, because it needs to know whose
 * lines they are.
 */
export function sourceSettings() {
  return {
    LISTEN_HOST: host({
      default: '127.0.0.1',
      description:
        'address on which the servers for OTLP over gRPC, Forward, syslog and GELF listen; 0.0.0.0 listens on every network',
    }),
    LISTEN_CONNECTIONS_MAX: integer({
      default: 1_000,
      min: 1,
      max: 100_000,
      unit: 'connections',
      description:
        'maximum open connections of each server for Forward, syslog and GELF; further ones are closed at once',
    }),
    OTLP_GRPC_PORT: port({ default: 4317, description: 'port for OTLP over gRPC' }),
    FORWARD_API_KEYS: secret({
      optional: true,
      description:
        'API keys with the scope write, separated by commas; opens the server for the Forward protocol. A client uses one of them as its shared key, which decides whose lines they are',
    }),
    FORWARD_PORT: port({
      default: 24_224,
      description: 'TCP port for the Forward protocol, and UDP port for its heartbeats',
    }),
    FORWARD_HANDSHAKE: boolean({
      default: true,
      description:
        'whether a client must prove that it knows a key; false takes lines of everyone who can connect, with the first key of FORWARD_API_KEYS',
    }),
    SYSLOG_API_KEY: secret({
      optional: true,
      description:
        'API key with the scope write; opens the servers for syslog. Senders cannot prove who they are: lines of everyone who can connect are taken with this key',
    }),
    SYSLOG_PORT: port({ default: 5514, description: 'TCP and UDP port for syslog' }),
    SYSLOG_TLS_PORT: port({ default: 6514, description: 'TCP port for syslog over TLS' }),
    SYSLOG_TLS_CERT_FILE: pemFile({
      optional: true,
      description: 'certificate of the server for syslog over TLS, as a PEM file; opens that server',
    }),
    GELF_API_KEY: secret({
      optional: true,
      description:
        'API key with the scope write; opens the servers for GELF over TCP and UDP, which take lines of everyone who can connect, with this key. Over HTTP clients send a key of their own',
    }),
    GELF_PORT: port({ default: 12_201, description: 'TCP and UDP port for GELF' }),
    SYSLOG_TLS_KEY_FILE: pemFile({ optional: true, description: 'key of that certificate, as a PEM file' }),
  }
}
