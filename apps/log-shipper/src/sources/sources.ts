import type { HttpSource } from '../intake/http-source.js'
import { ndjsonSource } from './ndjson/route.js'

/** Every wire over HTTP. To add one, add its folder and a line here. */
export const HTTP_SOURCES: readonly HttpSource[] = [ndjsonSource]
