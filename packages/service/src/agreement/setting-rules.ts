/** The settings of one running process that other services depend on. */
export interface PublishedSettings {
  readonly service: string
  /** Unique to the process. */
  readonly instance: string
  readonly values: Readonly<Record<string, string | number>>
}

/** Two settings, of two processes, that contradict each other. */
export interface Contradiction {
  /** A service does not start with a value that makes events get lost, doubled or stuck. Other contradictions only make health degraded. */
  readonly isDangerous: boolean
  /** Instances of the two processes. */
  readonly instances: readonly [string, string]
  /** One sentence with both settings, both values, both services and the consequence. */
  readonly sentence: string
}

interface Rule {
  /** The left value must be equal to the right one, or at most it. */
  readonly relation: 'equals' | 'is at most'
  readonly left: string
  readonly right: string
  /** Without it every service that publishes the setting is compared. */
  readonly services?: readonly [left: string, right: string]
  readonly isDangerous: boolean
  readonly consequence: string
}

const GATEWAY = 'ingest-gateway'
const CONSUMER = 'stream-consumer'
const ANALYTICS = 'analytics-query'

const amongConsumers = (setting: string, consequence: string): Rule => ({
  relation: 'equals',
  left: setting,
  right: setting,
  services: [CONSUMER, CONSUMER],
  isDangerous: false,
  consequence,
})

/** Every setting whose right value depends on a setting of another process. A further one is a further row. */
const RULES: readonly Rule[] = [
  {
    relation: 'equals',
    left: 'STREAM_NAME',
    right: 'STREAM_NAME',
    isDangerous: true,
    consequence: 'accepted events would not be stored or not be found',
  },
  {
    relation: 'equals',
    left: 'STREAM_DRIVER',
    right: 'STREAM_DRIVER',
    isDangerous: true,
    consequence: 'events that one service writes would never be stored by the other',
  },
  {
    relation: 'equals',
    left: 'STREAM_PARTITIONS',
    right: 'STREAM_PARTITIONS',
    isDangerous: true,
    consequence: 'events of some partitions would never be stored',
  },
  {
    relation: 'equals',
    left: 'STREAM_GROUP',
    right: 'STREAM_GROUP',
    isDangerous: true,
    consequence: 'events would be stored twice, or queries would not know how far they are stored',
  },
  ...['LOG_STREAM_NAME', 'LOG_STREAM_PARTITIONS', 'LOG_STREAM_GROUP'].map(
    (setting): Rule => ({
      relation: 'equals',
      left: setting,
      right: setting,
      isDangerous: true,
      consequence: 'accepted log lines would not be stored, or not be found in the ledger',
    }),
  ),
  {
    relation: 'is at most',
    left: 'EVENTS_MAX_AGE_DAYS',
    right: 'EVENTS_RETENTION_DAYS',
    services: [GATEWAY, CONSUMER],
    isDangerous: true,
    consequence: 'events would be accepted and then deleted at once',
  },
  {
    relation: 'is at most',
    left: 'EVENTS_MAX_AGE_DAYS',
    right: 'EVENTS_MAX_AGE_DAYS',
    services: [GATEWAY, ANALYTICS],
    isDangerous: false,
    consequence: 'browsers keep answers that late events can still change',
  },
  {
    relation: 'equals',
    left: 'EVENTS_MAX_AGE_DAYS',
    right: 'EVENTS_MAX_AGE_DAYS',
    services: [GATEWAY, GATEWAY],
    isDangerous: false,
    consequence: 'whether an old event is accepted depends on the gateway that receives it',
  },
  amongConsumers('EVENTS_RETENTION_DAYS', 'events are kept for the longer time'),
  amongConsumers('ROLLUP_5M_RETENTION_DAYS', 'rollups are kept for the shorter time'),
  amongConsumers('ROLLUP_1H_RETENTION_DAYS', 'rollups are kept for the shorter time'),
  amongConsumers('ROLLUP_1D_RETENTION_DAYS', 'rollups are kept for the shorter time'),
  amongConsumers('DEDUP_WINDOW_HOURS', 'whether a repeated event is recognised depends on the consumer that reads it'),
  amongConsumers('LEASE_MS', 'a consumer may take partitions of another one that still works'),
  amongConsumers('KAFKA_MIRROR_TOPIC', 'each topic lacks the events that the other consumer stores'),
  amongConsumers('SESSION_IDLE_MINUTES', 'sessions end after the shorter time'),
]

/** The values of a configuration that a rule names. */
export function settingsToPublish(config: Readonly<Record<string, unknown>>): Record<string, string | number> {
  const names = new Set(RULES.flatMap(({ left, right }) => [left, right]))
  const values: Record<string, string | number> = {}
  for (const name of names) {
    const value = config[name]
    if (typeof value === 'string' || typeof value === 'number') values[name] = value
  }
  return values
}

/** All contradictions between the processes, each pair and rule once, the dangerous ones first. */
export function findContradictions(processes: readonly PublishedSettings[]): Contradiction[] {
  const found = new Map<string, Contradiction>()
  for (const rule of RULES) {
    for (const left of processes) {
      for (const right of processes) {
        if (left.instance === right.instance || !isCompared(rule, left, right)) continue
        const key = [rule.left, rule.right, ...[left.instance, right.instance].sort()].join(' ')
        if (!found.has(key)) found.set(key, toContradiction(rule, left, right))
      }
    }
  }
  return [...found.values()].sort((a, b) => Number(b.isDangerous) - Number(a.isDangerous))
}

function isCompared(rule: Rule, left: PublishedSettings, right: PublishedSettings): boolean {
  const { services } = rule
  if (services !== undefined && (left.service !== services[0] || right.service !== services[1])) return false
  const a = left.values[rule.left]
  const b = right.values[rule.right]
  if (a === undefined || b === undefined) return false
  return rule.relation === 'equals' ? a !== b : Number(a) > Number(b)
}

function toContradiction(rule: Rule, left: PublishedSettings, right: PublishedSettings): Contradiction {
  const say = (setting: string, { service, instance, values }: PublishedSettings) =>
    `${setting} of ${service} (${instance}) is ${values[setting]}`
  return {
    isDangerous: rule.isDangerous,
    instances: [left.instance, right.instance],
    sentence: `${say(rule.left, left)}, but ${say(rule.right, right)}: ${rule.consequence}`,
  }
}
