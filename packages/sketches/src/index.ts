export { DDSketch, RELATIVE_ACCURACY } from './dd-sketch.js'
export { ExactSum } from './exact-sum.js'
export { HyperLogLog } from './hyper-log-log.js'
export { ByteReader, ByteWriter } from './varint.js'
