export { openTestLifecycle, type TestLifecycle } from './test-lifecycle.js'
