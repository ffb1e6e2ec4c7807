/** The first character of a text that PostgreSQL cannot store: NUL or half of a surrogate pair. The position counts UTF-16 units from 0. Null when the text can be stored. */
export function findUnstorable(text: string): { readonly position: number; readonly reason: string } | null {
  const position = text.search(/\0|\p{Surrogate}/u)
  if (position < 0) return null
  const name = text[position] === '\0' ? 'the character NUL' : 'half of a surrogate pair'
  return { position, reason: `it has ${name} at position ${position}, which cannot be stored` }
}
