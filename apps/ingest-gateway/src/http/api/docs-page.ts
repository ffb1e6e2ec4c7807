export function renderDocsPage(document: Record<string, unknown>): string {
  return `<pre>${JSON.stringify(document)}</pre>`
}
