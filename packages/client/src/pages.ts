/** A list in pages, to be iterated item by item or page by page. A page is requested when the iteration reaches it. */
export interface Pages<T, P> extends AsyncIterable<T> {
  pages(): AsyncIterable<P>
}

/** One page of a list. */
export interface Page<T> {
  readonly data: readonly T[]
  /** null on the last page. */
  readonly next_cursor: string | null
}

/** Iterates over all pages of a list. Each page is requested when the caller asks for it. */
export function createPages<T, P extends Page<T>>(
  ask: (cursor: string | undefined) => Promise<P>,
  cursor?: string,
): Pages<T, P> {
  async function* pages(): AsyncGenerator<P, void, undefined> {
    let next = cursor
    do {
      const page = await ask(next)
      yield page
      next = page.next_cursor ?? undefined
    } while (next !== undefined)
  }
  return {
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) yield* page.data
    },
  }
}
