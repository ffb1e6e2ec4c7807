export { type DriverFixture, describeDriver } from './driver-conformance.js'
