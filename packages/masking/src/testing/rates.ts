import type { Masker } from '../masker.js'
import { createNextRandom, randomValues } from './random-values.js'
import { negatives, type Positive, positives } from './truth-set.js'

/** How well a masker tells personal data and secrets from other data. */
export interface Rates {
  readonly detection: readonly { readonly rule: string; readonly found: number; readonly of: number }[]
  readonly missed: readonly Positive[]
  readonly falsePositives: readonly string[]
  readonly negatives: number
  /** Share of random values in which something was masked. */
  readonly random: readonly { readonly kind: string; readonly masked: number; readonly of: number }[]
}

/** Measures a masker on the truth set and on `valuesEach` random values of each kind. */
export function measureRates(masker: Masker, valuesEach: number): Rates {
  const missed = positives.filter(({ text, secret }) => masker.text(text).includes(secret))
  const rules = [...new Set(positives.map(({ rule }) => rule))]
  return {
    detection: rules.map((rule) => {
      const of = positives.filter((positive) => positive.rule === rule).length
      return { rule, found: of - missed.filter((positive) => positive.rule === rule).length, of }
    }),
    missed,
    falsePositives: negatives.filter((text) => masker.text(text) !== text),
    negatives: negatives.length,
    random: Object.entries(randomValues).map(([kind, create]) => {
      const next = createNextRandom(42)
      let masked = 0
      for (let i = 0; i < valuesEach; i++) {
        const value = create(next)
        if (masker.text(`value ${value} seen`) !== `value ${value} seen`) masked++
      }
      return { kind, masked, of: valuesEach }
    }),
  }
}
