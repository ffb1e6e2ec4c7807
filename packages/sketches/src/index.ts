export { DDSketch, RELATIVE_ACCURACY } from './dd-sketch.js'
export { ExactSum } from './exact-sum.js'
export { HyperLogLog } from './hyper-log-log.js'
export { type MinuteValues, packMinutes, packSketches, unpackMinutes, unpackSketches } from './pack-minutes.js'
