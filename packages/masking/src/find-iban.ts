import { isDigit, isLetter, isWord, SPACE } from './byte-table.js'
import { byteAt, type TextView } from './text-view.js'

/** Lengths of the account numbers of each country in the IBAN registry (ISO 13616, release 99). */
const LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'NO15 BE16 DK18 FK18 FO18 FI18 GL18 NL18 SD18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 MN20 XK20 CH21 HR21 LI21 LV21 BG22 BH22 CR22 DE22 GB22 ' +
    'GE22 IE22 ME22 RS22 VA22 AE23 GI23 IL23 IQ23 OM23 SO23 TL23 AD24 CZ24 ES24 MD24 PK24 RO24 SA24 SE24 SK24 TN24 VG24 LY25 PT25 ST25 IS26 TR26 ' +
    'BI27 DJ27 FR27 GR27 IT27 MC27 MR27 SM27 AL28 AZ28 BY28 CY28 DO28 GT28 HU28 LB28 NI28 PL28 SV28 HN28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 ' +
    'MT31 SC31 LC32 RU33'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)

/** Looks for an IBAN that begins at `at`: country, its length, and the check digits of ISO 7064. Groups of four may stand apart. Returns its end. */
export function findIban(view: TextView, at: number): number | undefined {
  const { bytes } = view
  if (!isDigit(byteAt(view, at + 2)) || !isDigit(byteAt(view, at + 3)) || !isLetter(bytes[at + 1])) return undefined
  const length = LENGTHS[String.fromCharCode((bytes[at] as number) & 0xdf, (bytes[at + 1] as number) & 0xdf)]
  // In lower case the 16 characters of a Belgian one are too often an id in hex.
  if (length === undefined || (length === 16 && (bytes[at] as number) >= 0x61)) return undefined
  let remainder = 0
  let end = at + 4
  for (let count = 4; count < length; count++, end++) {
    if (count % 4 === 0 && byteAt(view, end) === SPACE) end++
    const value = alphanumericValue(byteAt(view, end))
    if (value === undefined) return undefined
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97
  }
  if (isWord(byteAt(view, end))) return undefined
  for (let i = at; i < at + 4; i++) {
    const value = alphanumericValue(bytes[i]) as number
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97
  }
  return remainder === 1 ? end : undefined
}

/** 0 to 9 for digits, 10 to 35 for letters. */
function alphanumericValue(code: number | undefined): number | undefined {
  if (code === undefined) return undefined
  if (isDigit(code)) return code - 0x30
  return isLetter(code) ? (code | 0x20) - 0x57 : undefined
}
