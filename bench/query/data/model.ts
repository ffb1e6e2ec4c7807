// What the invented shop looks like: who comes when, and what a visit consists of.
import { createRandom, type Random } from '../../lib/random.js'

export const COUNTRIES = 'US DE GB FR IN BR JP CA AU ES IT NL PL SE MX KR TR CH AT BE DK NO FI PT'.split(' ')
export const CATEGORIES = ['shoes', 'shirts', 'books', 'garden', 'toys', 'audio', 'bikes', 'tea']
export const METHODS = ['password', 'google', 'sso', 'passkey', 'magic_link']
export const FUNNEL = ['Product Viewed', 'Product Added', 'Order Completed']
const FEATURES = Array.from({ length: 24 }, (_, index) => `Feature ${String(index + 1).padStart(2, '0')} Used`)
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
  'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0',
]

/** The aggregates that the gateway is told to keep: what the scenario calls a rollup dimension. */
export const ROLLUPS = [
  { event: '*', property: 'properties.duration_ms' },
  { event: 'Page Viewed', property: 'properties.duration_ms' },
  { event: 'Page Viewed', dimensions: ['properties.country'] },
  { event: 'Product Viewed', dimensions: ['properties.category'] },
  { event: 'Order Completed', property: 'properties.revenue' },
  { event: 'Order Completed', dimensions: ['properties.country'], property: 'properties.revenue' },
]

/** Skewed numbers from 0 to count - 1: rank r comes up about as often as (r + 1) ** -exponent. */
export function createZipf(random: Random, count: number, exponent: number): () => number {
  const power = 1 - exponent
  const top = (count + 1) ** power - 1
  return () => Math.min(count, Math.floor((random.next() * top + 1) ** (1 / power))) - 1
}

export interface VisitedEvent {
  name: string
  /** The inside of a JSON object. */
  properties: string
  /** Milliseconds since the start of the visit. */
  offset: number
}

export interface Visits {
  readonly random: Random
  /** Country and user agent belong to the user, not to the visit. */
  countryOf(): string
  agentOf(): string
  draw(country: string): VisitedEvent[]
}

/** Draws visits of one shop: lists of events with an offset in ms from the visit's start. */
export function createVisits(seed: number): Visits {
  const random = createRandom(seed)
  const countryRank = createZipf(random, COUNTRIES.length, 1.1)
  const category = createZipf(random, CATEGORIES.length, 0.8)
  const feature = createZipf(random, FEATURES.length, 1.2)
  const path = createZipf(random, 60, 1.05)
  const duration = () => Math.round(Math.exp(4.6 + 0.9 * normal(random)))
  const price = () => (5 + 95 * random.next() ** 3).toFixed(2)

  const draw: Record<string, (country: string) => string> = {
    'Page Viewed': (country) => `"path":"/p/${path()}","country":"${country}","duration_ms":${duration()}`,
    'Product Viewed': () => `"category":"${CATEGORIES[category()]}","price":${price()}`,
    'Search Performed': () => `"results":${Math.floor(random.next() * 200)},"duration_ms":${duration()}`,
    'Product Added': () =>
      `"category":"${CATEGORIES[category()]}","quantity":${1 + Math.floor(3 * random.next() ** 3)}`,
    'Checkout Started': () => `"items":${1 + Math.floor(4 * random.next())}`,
    'Order Completed': (country) => `"country":"${country}","revenue":${price()},"currency":"EUR"`,
    $login: () => {
      const isGood = random.next() < 0.93
      const method = METHODS[Math.floor(METHODS.length * random.next() ** 2)]
      return `"method":"${method}","success":${isGood}${isGood ? '' : ',"failure_reason":"wrong_password"'}`
    },
  }
  const next: Record<string, [follower: string, chance: number]> = {
    'Product Viewed': ['Product Added', 0.25],
    'Product Added': ['Checkout Started', 0.5],
    'Checkout Started': ['Order Completed', 0.7],
  }
  const browse = (): string => {
    const chance = random.next()
    if (chance < 0.48) return 'Page Viewed'
    if (chance < 0.7) return 'Product Viewed'
    if (chance < 0.8) return 'Search Performed'
    return FEATURES[feature()] ?? ''
  }

  return {
    random,
    countryOf: () => COUNTRIES[countryRank()] ?? '',
    agentOf: () => AGENTS[Math.floor(random.next() * AGENTS.length)] ?? '',
    draw(country) {
      const events: VisitedEvent[] = []
      let offset = 0
      let name = random.next() < 0.18 ? '$login' : 'Page Viewed'
      const length = random.next() < 0.3 ? 1 : 2 + Math.floor(-Math.log(1 - random.next()) * 7.5)
      while (events.length < length) {
        const properties = draw[name]?.(country) ?? `"step":${events.length}`
        events.push({ name, properties, offset })
        offset += 1000 + Math.floor(-Math.log(1 - random.next()) * 35_000)
        const follow = next[name]
        name = follow !== undefined && random.next() < follow[1] ? follow[0] : browse()
      }
      return events
    },
  }
}

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
}
