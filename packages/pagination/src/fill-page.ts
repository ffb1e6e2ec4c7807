import type { BoundedPage } from './bounded-page.js'

/** After this time a page ends with what was found. */
const FILL_MS = 5000

/** The steps by which a page is filled. */
export interface PageSteps<Step> {
  readonly first: Step
  /** Reads one step and adds what it finds to the page. Returns the next step; null at the end of the list. */
  readonly read: (step: Step) => Promise<Step | null>
  readonly monotonicMs: () => number
}

/**
 * Reads step by step until the page is full, the list ends or 5 s have passed. Returns the step to continue with after those 5 s, with which a short or empty page
 * has a cursor all the same; null when the page is full or the list ended.
 */
export async function fillPage<Step>(page: BoundedPage<unknown>, steps: PageSteps<Step>): Promise<Step | null> {
  const startedAt = steps.monotonicMs()
  let next = await steps.read(steps.first)
  while (next !== null && !page.isFull) {
    if (steps.monotonicMs() - startedAt > FILL_MS) return next
    next = await steps.read(next)
  }
  return null
}
