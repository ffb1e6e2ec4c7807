/** The rows of a result; none for an absent result. */
export function rowsOf<Row>(result: { readonly rows: unknown[] } | undefined): Row[] {
  return (result?.rows ?? []) as Row[]
}
