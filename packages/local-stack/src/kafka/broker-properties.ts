/** What a client needs to use the broker's `brokers`. The broker then has a second listener without protection, for other brokers and for tools. */
export interface KafkaSecurity {
  /** Passwords by user: clients log in by SASL PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Default: no login. */
  users?: Readonly<Record<string, string>> | undefined
  /** PEM texts. The key is PKCS#8, without a password. With `clientCa` a client needs a certificate that this authority signed. Default: no TLS. */
  tls?: { certificate: string; key: string; clientCa?: string | undefined } | undefined
  /** Operations that an authorizer forbids to a user on all topics; everything else is allowed to everyone. */
  denials?: readonly { user: string; operation: 'Create' | 'Delete' | 'Describe' | 'Read' | 'Write' }[] | undefined
}

/** A node's ports on 127.0.0.1. */
export interface KafkaPorts {
  /** For clients. */
  client: number
  controller: number
  /** Without protection, for other brokers and for tools. The same as `client` when clients need no protection. */
  internal: number
}

export interface KafkaNode {
  id: number
  ports: KafkaPorts
  /** Controller ports of all nodes by id. */
  voters: Readonly<Record<number, number>>
  security?: KafkaSecurity | undefined
  /** Directory of the files with keys and certificates. */
  dir: string
}

const MAX_MESSAGE_BYTES = String(16 * 1024 ** 2)

/** The properties of a broker that is also a controller. */
export function brokerProperties(node: KafkaNode): Record<string, string> {
  const replicas = String(Math.min(3, Object.keys(node.voters).length))
  return {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': Object.entries(node.voters)
      .map(([id, port]) => `${id}@127.0.0.1:${port}`)
      .join(','),
    ...listeners(node),
    ...authentication(node.security),
    ...encryption(node),
    ...authorization(node.security),
    'auto.create.topics.enable': 'false',
    'message.max.bytes': MAX_MESSAGE_BYTES,
    'replica.fetch.max.bytes': MAX_MESSAGE_BYTES,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': '1',
    // Fewer files and threads: the groups of one machine are few.
    'offsets.topic.num.partitions': '8',
    'transaction.state.log.num.partitions': '2',
    'share.coordinator.state.topic.num.partitions': '2',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'group.initial.rebalance.delay.ms': '0',
    // Consumers use LEASE_MS as their session timeout, and tests set a short one.
    'group.min.session.timeout.ms': '500',
    'log.retention.ms': '-1',
    // A broker that died is noticed early, also by itself: after a crash it registers again once its old session has expired.
    'broker.session.timeout.ms': '1500',
    'broker.heartbeat.interval.ms': '300',
  }
}

/** The text of a properties file. */
export function formatProperties(properties: Readonly<Record<string, string>>): string {
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}`)
  return `${lines.join('\n')}\n`
}

function listeners({ ports, security }: KafkaNode): Record<string, string> {
  const isInternalSeparate = ports.internal !== ports.client
  const clients = [
    `CLIENT://127.0.0.1:${ports.client}`,
    ...(isInternalSeparate ? [`INTERNAL://127.0.0.1:${ports.internal}`] : []),
  ].join(',')
  const protocol = `${security?.users ? 'SASL_' : ''}${security?.tls ? 'SSL' : 'PLAINTEXT'}`
  return {
    listeners: `${clients},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': clients,
    'listener.security.protocol.map': `CLIENT:${protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': isInternalSeparate ? 'INTERNAL' : 'CLIENT',
  }
}

function authentication(security: KafkaSecurity | undefined): Record<string, string> {
  if (!security?.users) return {}
  const users = Object.entries(security.users).map(([name, password]) => ` user_${name}="${quote(password)}"`)
  const modules = 'org.apache.kafka.common.security'
  const scram = `${modules}.scram.ScramLoginModule required;`
  return {
    'listener.name.client.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.client.plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required${users.join('')};`,
    'listener.name.client.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.client.scram-sha-512.sasl.jaas.config': scram,
  }
}

function quote(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
}

/** Files that the properties name, with their contents. */
export function tlsFiles({ security, dir }: KafkaNode): Record<string, string> {
  if (!security?.tls) return {}
  const { certificate, key, clientCa } = security.tls
  return {
    [`${dir}/broker.pem`]: `${key}\n${certificate}\n`,
    ...(clientCa !== undefined && { [`${dir}/client-ca.pem`]: clientCa }),
  }
}

function encryption({ security, dir }: KafkaNode): Record<string, string> {
  if (!security?.tls) return {}
  return {
    'listener.name.client.ssl.keystore.type': 'PEM',
    'listener.name.client.ssl.keystore.location': `${dir}/broker.pem`,
    ...(security.tls.clientCa !== undefined && {
      'listener.name.client.ssl.truststore.type': 'PEM',
      'listener.name.client.ssl.truststore.location': `${dir}/client-ca.pem`,
      'listener.name.client.ssl.client.auth': 'required',
    }),
  }
}

function authorization(security: KafkaSecurity | undefined): Record<string, string> {
  if (!security?.denials) return {}
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'true',
    // The other brokers, and the tools that use the listener without protection.
    'super.users': 'User:ANONYMOUS',
  }
}
