interface Operation {
  summary?: string
  description?: string
  tags?: readonly string[]
  parameters?: readonly { name: string; in: string; description?: string }[]
  requestBody?: { content: Record<string, { example?: unknown }> }
  responses?: Record<string, { description?: string; content?: Record<string, { example?: unknown }> }>
  'x-scope'?: string
}

interface Document {
  info: { title: string; version: string; description: string }
  paths: unknown
}

const style = `
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{border-bottom:1px solid #8885;margin-top:2.5rem}
details{border:1px solid #8885;border-radius:.4rem;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{background:#8882;padding:.6rem;border-radius:.3rem;overflow:auto}
.method{display:inline-block;min-width:4.5rem;font-weight:700}
table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}`

/** The OpenAPI document as one HTML page without scripts and external files. */
export function renderDocsPage(document: Document): string {
  const { info } = document
  const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
    ([path, item]) => Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  )
  const tags = [...new Set(operations.flatMap(({ operation }) => operation.tags ?? []))]
  const sections = tags.map((tag) => {
    const own = operations.filter(({ operation }) => operation.tags?.includes(tag))
    return `<h2>${toHtml(tag)}</h2>${own.map(renderOperation).join('')}`
  })
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${toHtml(info.title)} API</title><style>${style}</style>
<h1>${toHtml(info.title)} ${toHtml(info.version)}</h1><p>${toHtml(info.description)}</p><p><a href="/openapi.json">openapi.json</a></p>${sections.join('')}</html>`
}

function renderOperation({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const { summary = '', description = '', parameters = [], requestBody, responses = {} } = operation
  const scope = operation['x-scope'] === undefined ? 'no key needed' : `scope ${operation['x-scope']}`
  const rows = parameters.map((parameter) => row(`${parameter.name} (${parameter.in})`, parameter.description ?? ''))
  const answers = Object.entries(responses).map(([status, response]) => row(status, response.description ?? ''))
  const bodies = Object.entries(requestBody?.content ?? {}).map(
    ([type, { example }]) => `<p>${toHtml(type)}</p>${renderExample(example)}`,
  )
  const answer = Object.values(responses['200']?.content ?? responses['201']?.content ?? {})[0]?.example
  return `<details><summary><span class="method">${method.toUpperCase()}</span> <code>${toHtml(path)}</code> ${toHtml(summary)}</summary>
<p>${toHtml(description)} <em>${toHtml(scope)}</em></p>${table(rows)}${bodies.join('')}${table(answers)}${answer === undefined ? '' : renderExample(answer)}</details>`
}

function renderExample(example: unknown): string {
  return `<pre>${toHtml(typeof example === 'string' ? example : JSON.stringify(example, null, 2))}</pre>`
}

function row(name: string, description: string): string {
  return `<tr><td><code>${toHtml(name)}</code></td><td>${toHtml(description)}</td></tr>`
}

function table(rows: readonly string[]): string {
  return rows.length === 0 ? '' : `<table>${rows.join('')}</table>`
}

function toHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
