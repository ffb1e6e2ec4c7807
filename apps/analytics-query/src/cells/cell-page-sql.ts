import { hashOfTextSql, isExact, isShortened } from '@millrace/pagination'
import type { Measure } from '../measures/measure.js'
import type { PagedQuery } from '../measures/paged-query.js'
import type { SqlValues } from '../sql/sql-values.js'

/**
 * Selects the cells of one page from the table `part` that `measure.rawOutput` made, in the order of the query kind.
 * Groups that are equal in memory ("1" and 1, and numbers with the same nearest double) are merged here, by the text
 * that JavaScript prints for them. If PostgreSQL might print another text or compute another value than JavaScript for
 * any group (numbers from 2^53 on, or smaller than 1e-300), all cells are returned instead, up to `cellsMax`, and
 * sorted in memory.
 */
export function pageSql(
  query: PagedQuery,
  { measure, cellsMax }: { measure: Measure; cellsMax: number },
  values: SqlValues,
) {
  const { page, groupBy, metric } = query
  const value = page.order === 'value' ? measure.rawValue(metric) : null
  const isJson = groupBy.map(({ kind }) => kind === 'json')
  const texts = isJson.map((json, index) => codeUnits(json ? `g${index} #>> '{}'` : `g${index}`))
  const places = texts.map((text, index) => `g${index} is not null as p${index}, coalesce(${text}, '') as k${index}`)
  const placed = `select whole.*, ${[...(value === null ? [] : [`${value} as rank`]), ...places].join(', ')}
    from (${isJson.includes(true) ? joined(isJson, measure) : 'select * from part'}) whole`
  const doubtful = [
    ...(value === null || metric.agg === 'count' ? [] : ['rank is null']),
    ...isJson.flatMap((json, index) => (json ? [`jsonb_typeof(g${index}) = 'number'`] : [])),
  ].join(' or ')
  const order = texts.map((_, index) => `p${index}, k${index}`).join(', ')
  const limit = values.add(page.limit, 'bigint')
  const isAfter = afterSql(query, order, values)
  const ordered = `order by ${value === null ? '' : 'rank desc nulls last, '}${order}`
  if (doubtful === '') return `placed as (${placed}) select * from placed where ${isAfter} ${ordered} limit ${limit}`
  const isDoubtful = `(select bool_or(${doubtful}) from placed)`
  return `placed as (${placed}) select * from placed where ${isAfter} or ${isDoubtful} ${ordered}
    limit case when ${isDoubtful} then ${values.add(cellsMax + 1, 'bigint')} else ${limit} end`
}

/** Whether a cell comes after the group that the page continues after; with a shortened group, at or after it. */
function afterSql({ page, groupBy }: PagedQuery, order: string, values: SqlValues): string {
  const { after } = page
  if (after === null) return 'true'
  if (isExact(after)) {
    const texts = after.map((text) => `${text !== null}, ${codeUnits(values.add(text ?? '', 'text'))}`)
    return `(${order}) > (${texts.join(', ')})`
  }
  const isGroup = after.map((text, index) => {
    if (text === null) return `not p${index}`
    const own = groupBy[index]?.kind === 'json' ? `(g${index} #>> '{}')` : `g${index}`
    if (!isShortened(text)) return `${own} = ${values.add(text, 'text')}`
    const { prefix, hash } = text
    return `starts_with(${own}, ${values.add(prefix, 'text')}) and ${hashOfTextSql(own)} = ${values.add(hash, 'text')}`
  })
  return `(${order}) >= (select ${order} from placed where ${isGroup.join(' and ')} limit 1)`
}

/** The cells of `part`, merged where the texts of their groups are equal. */
function joined(isJson: readonly boolean[], measure: Measure): string {
  const texts = isJson.map((json, index) => `${json ? scalarOf(`part.g${index}`) : `part.g${index}`} as g${index}`)
  const keys = ['part.bucket', ...isJson.map((_, index) => `named.g${index}`)].join(', ')
  return `select ${keys}, ${measure.rawMerge} from part cross join lateral (select ${texts.join(', ')}) named group by ${keys}`
}

/**
 * A JSON scalar as its text, as a JSON string; null when the text is empty (`groupText`). A number that JavaScript might print differently from PostgreSQL stays a
 * number.
 */
function scalarOf(json: string): string {
  const number = `${json}::numeric`
  const double = `${number}::float8`
  // Both print the shortest digits that identify the double, but switch to exponents at different sizes.
  const text = `case when ${double} <> 0 and abs(${double}) < 1e-6 then replace(${double}::text, 'e-0', 'e-') else ${double}::text::numeric::text end`
  return `case jsonb_typeof(${json})
    when 'number' then case when ${number} = 0 or (abs(${number}) >= 1e-300 and abs(${number}) < 9007199254740992) then to_jsonb(${text}) else ${json} end
    when 'boolean' then to_jsonb(${json} #>> '{}') else nullif(${json}, '""'::jsonb) end`
}

/**
 * A text that sorts by bytes as `text` sorts by UTF-16 code units. The orders differ for characters beyond U+FFFF,
 * whose first code unit is below U+E000: so characters from U+E000 to U+FFFF are moved behind U+10FFFF, the last of all
 * characters, which itself gets a suffix that sorts before them.
 */
function codeUnits(text: string): string {
  const moved = `regexp_replace(replace(${text}, chr(1114111), chr(1114111) || 'a'), '([\\uE000-\\uFFFF])', chr(1114111) || 'b\\1', 'g')`
  return `(case when octet_length(${text}) = length(${text}) then ${text} else ${moved} end) collate "C"`
}
