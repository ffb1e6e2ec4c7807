import type { SpanOptions } from '@millrace/telemetry'

/** OpenTelemetry's default limit of links a span. */
const LINKS_MAX = 128

/**
 * How a span for many frames relates to the traces in them: it continues a single trace, or begins a trace of its own with links to several.
 * Undefined when there are none.
 */
export function originOf(
  tracesOfFrames: Iterable<readonly string[] | undefined>,
): Pick<SpanOptions, 'parent' | 'links' | 'isRoot'> | undefined {
  const links = new Set<string>()
  for (const traces of tracesOfFrames) {
    for (const trace of traces ?? []) if (links.size < LINKS_MAX) links.add(trace)
  }
  const [first] = links
  if (first === undefined) return undefined
  return links.size === 1 ? { parent: first } : { isRoot: true, links: [...links] }
}
