/** The rows of a statement that returns such rows. */
export function rowsOf<Row>(result: { readonly rows: unknown[] } | undefined): Row[] {
  return (result?.rows ?? []) as Row[]
}
