import { Cors } from '@millrace/http-intake'

/** The CORS rules of every public path, with the response headers of the API that scripts may read. */
export function createApiCors(origins: readonly string[]): Cors {
  return new Cors({ origins, exposedHeaders: ['ETag', 'Age', 'Date', 'Millrace-Meta'] })
}
