import { createOpenApiDocument } from '@millrace/contracts/http'
import type { Express } from 'express'
import { renderDocsPage } from './docs-page.js'

/** GET /openapi.json and /docs, a page made of it: no script, no file from elsewhere, so that any content security policy lets it be. */
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
