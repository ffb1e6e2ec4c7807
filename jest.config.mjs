/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@millrace/source', 'node', 'node-addons'] },
  testMatch: ['<rootDir>/{apps,packages,infra,bench}/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: [
    '<rootDir>/((apps|packages)/[^/]+|bench)/dist/',
    '<rootDir>/.millrace/',
    '<rootDir>/.cache/',
  ],
  watchPathIgnorePatterns: ['/dist/', '<rootDir>/.millrace/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  globalSetup: '<rootDir>/packages/testing/jest/global-setup.mjs',
  globalTeardown: '<rootDir>/packages/testing/jest/global-teardown.mjs',
  setupFilesAfterEnv: ['<rootDir>/packages/testing/src/jest-setup.ts'],
  reporters: ['default', '<rootDir>/packages/testing/jest/closing-line-reporter.mjs'],
  testSequencer: '<rootDir>/packages/testing/jest/longest-first-sequencer.mjs',
  // On two cores, two workers left a third of the processor time unused: many tests wait for a server to start, to time out or to recover.
  maxWorkers: 3,
  // Reached only by what is broken: nothing may fail for want of speed.
  testTimeout: 240_000,
}
