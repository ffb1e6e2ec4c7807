/** Who may import whom. It reads the sources by swc: TypeScript 7 has no parser it could use. */
export default {
  forbidden: [
    {
      name: 'no-app-imports-an-app',
      comment: 'services are deployed on their own; what two need goes to a package',
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
      comment: 'a package is entered by its index from outside only; from inside that makes cycles',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/', pathNot: ['\\.test\\.ts$', '/src/index\\.ts$'] },
      to: { path: '^packages/$1/src/index\\.ts$' },
    },
    {
      name: 'no-test-helpers-in-production',
      severity: 'error',
      from: { path: '/src/', pathNot: ['\\.test\\.ts$', '/testing/', '^packages/testing/', '^bench/'] },
      to: { path: ['^packages/testing/', '^packages/local-stack/src/testing/', '\\.test\\.ts$'] },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'third-party-client-has-one-owner',
      comment: 'each client library has one package that wraps it, so that it can be replaced there',
      severity: 'error',
      from: { pathNot: ['^packages/(redis|testing)/', '\\.test\\.ts$', '/test/', '^bench/'] },
      to: { path: '/node_modules/ioredis/' },
    },
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
