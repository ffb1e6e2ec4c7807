import { createRandom } from './random.js'

/** A message: texts, and the names of values that are put between them. */
export type Template = readonly (string | { readonly value: string })[]

const WORDS =
  'request response upstream connection session token cache entry order payment invoice shipment customer account product price stock queue job worker batch record index replica partition segment handler client server timeout retry backoff circuit limiter quota tenant region cluster node volume snapshot lease lock transaction commit rollback cursor query plan schema table column migration webhook callback signature certificate handshake stream message topic consumer producer offset checkpoint heartbeat leader follower election quorum proxy route policy rule feature flag experiment campaign coupon discount refund chargeback ledger balance currency exchange tax address warehouse carrier label parcel basket wishlist review rating image thumbnail upload download transfer archive backup restore export import report dashboard metric alert incident'
const VERBS =
  'accepted started finished skipped deferred dispatched validated rejected refreshed expired evicted scheduled retried cancelled completed loaded stored resolved published consumed acknowledged reconciled throttled merged split rotated renewed revoked synced compacted'

export const words: readonly string[] = WORDS.split(' ')
export const verbs: readonly string[] = VERBS.split(' ')

const HAND_WRITTEN = [
  'GET {path} {status} {dur}ms {bytes}B',
  'POST {path} {status} {dur}ms {bytes}B',
  'user {user} logged in from {ip}',
  'session {hex16} opened for {user}',
  'order {oid} placed by {user} total={amt} {cur} items={n}',
  'payment {uuid} authorised amount={amt} {cur} provider={prov}',
  'cache miss key=product:{pid}:v{n}',
  'cache hit key=user:{user}:profile ttl={n2}s',
  'slow query took {dur}ms rows={n2} sql="SELECT * FROM orders WHERE customer_id=$1 AND status=$2 LIMIT {n}"',
  'upstream {host} responded {status} in {dur} ms',
  'retrying {path} attempt={n} backoff={n2}ms',
  'connection to {ip}:{port} refused',
  'TLS handshake with {ip}:{port} failed: certificate has expired',
  'published event {uuid} to topic orders.v{n} partition={n} offset={oid}',
  'consumed offset={oid} partition={n} lag={n2}',
  'webhook {url} returned {status} after {dur}ms',
  'circuit breaker for {host} is half-open',
  'rate limit exceeded for {user} ({n2} req/min)',
  'job {uuid} finished in {dur} ms',
  'job {uuid} failed: timeout of {n2}ms exceeded',
  'feature flag checkout-v{n} evaluated to true for {user}',
  'inventory {pid} reserved qty={n} warehouse=wh-{n}',
  'shipment {oid} label created carrier={prov} tracking={track}',
  'rendered template order-confirmation for {user} in {dur}ms',
  'gc pause {dur}ms heap={n2}MB',
  'request {uuid} completed status={status} bytes={bytes} duration={dur}',
  'fetching {url}',
  'Bearer token validated for {user} scopes=read,write',
  'db pool acquired connection in {dur}ms active={n} idle={n}',
  'lock orders:{oid} acquired by {host}',
  'deadlock detected on relation orders, process {n2} waits for ShareLock on transaction {oid}',
  'config reloaded from /etc/app/config-{hex8}.yaml version {ver}',
  'health check ok uptime={n2}s version={ver}',
  '{"event":"price_update","sku":"SKU-{pid}","old":{amt},"new":{amt}}',
  'search q="{w} {w}" hits={n2} took={dur}ms',
]
const OTHER_SCRIPTS = [
  'Lieferung für Käufer Müller bestätigt nach {dur} ms',
  '注文 {oid} を受け付けました',
  'Ошибка оплаты заказа {oid}: недостаточно средств',
  'café order {oid} été livré à l’adresse 🚚',
  'παραγγελία {oid} ολοκληρώθηκε',
]
const PERSONAL = [
  'sending receipt to {email}',
  'card {card} declined for {user}',
  'customer called from {phone} about order {oid}',
  'ssn {ssn} verified for {user}',
  'contact {email} phone {phone} updated',
  'wire to IBAN {iban} amount={amt} {cur}',
  'header authorization: Bearer {jwt}',
]
const COUNT = 200
/** The templates are the same for each seed of the corpus. */
const random = createRandom(7)

export const logTemplates: readonly Template[] = [
  ...HAND_WRITTEN,
  ...Array.from({ length: COUNT - HAND_WRITTEN.length }, inventTemplate),
].map(parseTemplate)
export const unicodeTemplates: readonly Template[] = OTHER_SCRIPTS.map(parseTemplate)
export const personalTemplates: readonly Template[] = PERSONAL.map(parseTemplate)
/** Paths of requests; `{i}` stands for a number. */
export const paths: readonly string[] = Array.from({ length: 60 }, () => {
  const start = `/api/v${random.between(1, 3)}/${random.pick(words)}s`
  return `${start}${random.next() < 0.5 ? '/{i}' : ''}${random.next() < 1 / 3 ? `/${random.pick(words)}` : ''}`
})

function inventTemplate(): string {
  const [noun, other, verb] = [random.pick(words), random.pick(words), random.pick(verbs)]
  const forms = [
    `${noun} ${other} {uuid} ${verb} in {dur} ms`,
    `${verb} ${noun} id={oid} ${other}={n2} host={host}`,
    `${noun} ${verb}: ${other} {hex8} for {user}`,
    `[${noun}-${other}] ${verb} {n2} ${random.pick(words)} in {dur}ms`,
    `${noun}.${other} ${verb} path={path} status={status}`,
    `${other} of ${noun} {pid} ${verb} by {host} after {dur}ms`,
  ]
  return random.pick(forms)
}

function parseTemplate(text: string): Template {
  return text
    .split(/\{([a-z0-9]+)\}/)
    .map((part, index) => (index % 2 === 0 ? part : { value: part }))
    .filter((part) => part !== '')
}
