export { isTime, LENGTH_TEXT, querySchemas } from '../queries/query-schemas.js'
export { createOpenApiDocument } from './openapi.js'
export { sampleEvents } from './openapi-samples.js'
