const maskedEmail = '[email]'
const maskedSsn = '[ssn]'
const maskedCard = '[card]'
const maskedPhone = '[phone]'
const maskedSecret = '[masked]'

// Every quantifier is bounded, so the time grows linearly with the length of the text.
const email = /[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}/g
const urlPassword = /(:\/\/[^\s:/@]{0,128}:)[^\s/@]{1,256}@/g
const bearer = /\b(Bearer|Basic)\s{1,4}[A-Za-z0-9._~+/=-]{6,}/gi
const ssn = /(?<![\w.-])(?!000|666|9\d\d)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])/g
// Bare runs must begin as card numbers do (3 to 6, or Mastercard's 2221 to 2720): times in ms and counters begin otherwise.
const card = /(?<![\w.-])(?:[3-6]\d{3}|2[2-7]\d{2})(?:[ -]?\d{2,7}){2,4}(?![\w-]|\.\d)/g
// Only written as phone numbers are: with a leading plus or with separators, so ids and times are left alone.
const phone =
  /(?<![\w.-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){1,4}|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}([ .-])\d{3}\1\d{4})(?![\w-]|\.\d)/g
const twoDigits = /\d\d/

/**
 * Replaces e-mail addresses, US social security numbers, card numbers (13 to 19 digits that pass the Luhn check), phone numbers, bearer
 * tokens and passwords in URLs by a name in brackets. Times, UUIDs, IP addresses and stream ids stay as they are.
 */
export function maskText(text: string): string {
  let masked = text
  if (masked.includes('://')) masked = masked.replace(urlPassword, `$1${maskedSecret}@`)
  if (masked.includes('@')) masked = masked.replace(email, maskedEmail)
  if (masked.length >= 12) masked = masked.replace(bearer, `$1 ${maskedSecret}`)
  if (masked.length >= 9 && twoDigits.test(masked)) {
    masked = masked.replace(card, maskCard).replace(ssn, maskedSsn).replace(phone, maskedPhone)
  }
  return masked
}

function maskCard(candidate: string): string {
  const digits = candidate.replace(/[ -]/g, '')
  return digits.length >= 13 && digits.length <= 19 && passesLuhn(digits) ? maskedCard : candidate
}

/** ISO/IEC 7812-1 annex B: double every second digit from the right; the sum of the digits is a multiple of ten. */
function passesLuhn(digits: string): boolean {
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48
    const doubled = digit * 2
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
