/** What JSON objects and arrays begin with. Prose in brackets may pass; then a masked number gets quotes it does not need. */
const JSON_START = /^[ \t\r\n]*(?:\{[ \t\r\n]*["}]|\[[ \t\r\n]*(?:["[{\]]|-?\d|true|false|null))/

/**
 * Says which positions of a JSON text, or of one JSON text a line, are inside a string. Positions are asked in ascending order, so each character
 * is read once.
 */
export class JsonStrings {
  readonly #text: string
  #isJson: boolean | undefined
  #readTo = 0
  #isInside = false

  constructor(text: string) {
    this.#text = text
  }

  /** Whether the text begins as JSON objects and arrays do. */
  get isJson(): boolean {
    this.#isJson ??= JSON_START.test(this.#text)
    return this.#isJson
  }

  /** False where the text is not JSON. */
  isInside(position: number): boolean {
    if (!this.isJson) return false
    for (let at = this.#readTo; at < position; at++) {
      const code = this.#text.charCodeAt(at)
      if (code === 0x22) this.#isInside = !this.#isInside
      else if (code === 0x5c && this.#isInside) at++
      else if (code === 0x0a) this.#isInside = false
      this.#readTo = at + 1
    }
    return this.#isInside
  }
}
