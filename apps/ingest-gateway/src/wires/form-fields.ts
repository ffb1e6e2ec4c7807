/** The members that hold objects. Their values may be JSON texts. */
const OBJECTS: ReadonlySet<string> = new Set(['properties', 'traits', 'context'])
/** The members that hold times. Only digits are a number, of seconds or milliseconds since 1970. */
const TIMES: ReadonlySet<string> = new Set(['timestamp', 'originalTimestamp', 'sentAt'])
/** Deeper names are not split further, so that a long name cannot nest objects deeper than JSON.stringify can write. */
const LEVELS_MAX = 64

type Fields = Record<string, unknown>

/**
 * The JSON text for fields of a query string or a form, which hold an event in one of these ways:
 * - `data` is the event as JSON, or as base64 of JSON (Segment's pixel). Other fields, such as writeKey, are added; `data` wins.
 * - each field is a member of the event, with dots for nested members: `properties.subject=Hello`. Values are strings.
 * - the only field has no value, and its name is the JSON text (forms of scripts that send JSON without saying so).
 */
export function fieldsToJson(fields: URLSearchParams): string {
  const [first] = fields
  if (first !== undefined && fields.size === 1 && first[1] === '' && isJson(first[0])) return first[0]
  const others = toObject(fields)
  const data = fields.get('data')
  if (data === null) return JSON.stringify(others)
  const text = isJson(data) ? data : decodeBase64(data)
  const members = JSON.stringify(others).slice(1, -1)
  if (members === '' || !text.trimStart().startsWith('{')) return text
  const rest = text.trimStart().slice(1)
  return `{${members}${rest.trimStart().startsWith('}') ? '' : ','}${rest}`
}

function isJson(text: string): boolean {
  return /^\s*[{[]/.test(text)
}

/** Standard or URL-safe base64. A plus sign that was not escaped arrives as a space. */
function decodeBase64(text: string): string {
  return Buffer.from(text.trim().replaceAll(' ', '+'), 'base64').toString('utf8')
}

function toObject(fields: URLSearchParams): Fields {
  const object = createFields()
  for (const [name, value] of fields) if (name !== 'data') setMember(object, name, value)
  return object
}

function setMember(object: Fields, name: string, value: string): void {
  // Brackets nest in the forms of PHP and jQuery: properties[subject].
  const path = name.replace(/\[([^\]]*)\]/g, '.$1').split('.', LEVELS_MAX)
  const last = path.pop() as string
  let at = object
  for (const step of path) {
    const known = at[step]
    const next = typeof known === 'object' && known !== null ? (known as Fields) : createFields()
    at[step] = next
    at = next
  }
  at[last] = path.length === 0 ? readValue(last, value) : value
}

function readValue(name: string, value: string): unknown {
  if (TIMES.has(name) && /^\d{1,15}$/.test(value)) return Number(value)
  // RudderStack's pixel puts the id in quotes.
  if (name === 'anonymousId') return value.replace(/^"(.*)"$/, '$1')
  if (!OBJECTS.has(name) || !value.trimStart().startsWith('{')) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

/** Without a prototype, so that `__proto__` is an ordinary member. */
function createFields(): Fields {
  return Object.create(null) as Fields
}
