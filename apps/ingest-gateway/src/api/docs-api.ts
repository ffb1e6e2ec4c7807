import { createOpenApiDocument } from '@millrace/contracts/http'
import type { ApiRoutes } from './api-routes.js'
import { renderDocsPage } from './docs-page.js'

/** GET /openapi.json, and GET /docs: the same as a page without scripts and external files, which needs no relaxed content security policy. */
export function addDocsApi(routes: ApiRoutes): void {
  const document = createOpenApiDocument()
  const page = renderDocsPage(document)
  routes.get('/openapi.json', 'everyone', (_req, res) => {
    res.json(document)
  })
  routes.get('/docs', 'everyone', (_req, res) => {
    res.setHeader('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
    res.type('html').send(page)
  })
}
