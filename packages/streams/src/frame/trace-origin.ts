import type { SpanOptions } from '@millrace/telemetry'

/** A span holds no more links than this by OpenTelemetry's default. */
const LINKS_MAX = 128

/**
 * How a span of work for many frames follows the traces in them: it goes on with the only one, or links to all from a trace of its own.
 * Undefined where there are none.
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
