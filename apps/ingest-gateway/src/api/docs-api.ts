import { createOpenApiDocument } from '@millrace/contracts/http'
import type { Express } from 'express'
import { renderDocsPage } from './docs-page.js'

/** GET /openapi.json, and GET /docs: the same as a page without scripts and external files, which needs no relaxed content security policy. */
export function addDocsApi(app: Express): void {
  const document = createOpenApiDocument()
  const page = renderDocsPage(document)
  app.get('/openapi.json', (_req, res) => {
    res.json(document)
  })
  app.get('/docs', (_req, res) => {
    res.setHeader('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
    res.type('html').send(page)
  })
}
