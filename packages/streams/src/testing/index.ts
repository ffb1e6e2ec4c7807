export { describeDriver, type DriverFixture } from './driver-conformance.js'
