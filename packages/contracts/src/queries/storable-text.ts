/**
 * The first character of a text that no event can hold, because PostgreSQL cannot: NUL or half of a surrogate pair, by its position from 0 in
 * UTF-16. null when there is none.
 */
export function findUnstorable(text: string): { readonly position: number; readonly reason: string } | null {
  const position = text.search(/\0|\p{Surrogate}/u)
  if (position < 0) return null
  const name = text[position] === '\0' ? 'the character NUL' : 'half of a surrogate pair'
  return { position, reason: `it has ${name} at position ${position}, which no event can hold` }
}
