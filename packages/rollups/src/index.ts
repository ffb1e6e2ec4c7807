export { CompiledDefinitions, type EventFields, type EventSeries } from './compiled-definitions.js'
export { loadRollupDefinitions, registerRollupDefinitions } from './definition-store.js'
export { type DoubleRange, doubleRange } from './double-range.js'
export { isOneOfSql, jsonFieldSql, NUMBER_MAX, numberSql, type SqlParameters, scalarSql } from './field-sql.js'
export { textOf } from './field-value.js'
export { readNumber } from './json-bytes.js'
export { formatKeyPath, parseKeyPath } from './key-path.js'
export {
  COARSE_LEVELS,
  type CoarseLevel,
  findLevel,
  LEVEL_SECONDS,
  type LevelSeconds,
  MINUTE_LEVEL,
  PACKED_LEVEL,
  type RollupLevel,
  tableOfLevel,
  WIDEST_WINDOW_S,
  windowStartS,
} from './levels.js'
export { type MinuteValues, packMinutes, packSketches, unpackMinutes, unpackSketches } from './packed-minutes.js'
export {
  ALL_EVENTS,
  DEFAULT_ROLLUP_DEFINITIONS,
  isRollupPath,
  parseRollupDefinitions,
  type RollupDefinition,
} from './rollup-definition.js'
export { OVERFLOW_NAME, parseSeriesKey, type SeriesKey, seriesKey } from './series-key.js'
