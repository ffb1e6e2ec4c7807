/** A kind of secret that is known by how it begins. */
export interface SecretPrefix {
  readonly prefix: string
  /** What follows: letters, digits and `_` (`word`), `-` as well (`token`), or dots too (`dotted`). */
  readonly body: 'word' | 'token' | 'dotted'
  /** Bytes that follow at least. */
  readonly min: number
  /** Whether the rest must contain a digit and a capital letter, because the prefix also begins ordinary names. */
  readonly isMixed?: boolean
}

const words = (prefixes: string, min: number): SecretPrefix[] =>
  prefixes.split(' ').map((prefix) => ({ prefix, body: 'word', min }))
const tokens = (prefixes: string, min: number): SecretPrefix[] =>
  prefixes.split(' ').map((prefix) => ({ prefix, body: 'token', min }))

/** Documented beginnings of keys and tokens, by who issues them. */
export const SECRET_PREFIXES: readonly SecretPrefix[] = [
  ...words('AKIA ASIA ABIA ACCA', 16), // AWS access keys
  ...tokens('AIza', 35), // Google API keys
  ...tokens('GOCSPX-', 20), // Google OAuth client secrets
  { prefix: 'ya29.', body: 'dotted', min: 20 }, // Google OAuth access tokens
  ...words('ghp_ gho_ ghu_ ghs_ ghr_', 36), // GitHub
  ...words('github_pat_', 22),
  ...tokens('glpat- gldt- glrt- glcbt- glptt- glft- glsoat-', 20), // GitLab
  ...tokens('xoxb- xoxp- xoxa- xoxr- xoxs- xoxe- xoxo- xoxc- xoxd- xapp-', 10), // Slack
  ...words('sk_live_ sk_test_ pk_live_ pk_test_ rk_live_ rk_test_ whsec_', 10), // Stripe
  { prefix: 'SG.', body: 'dotted', min: 60 }, // SendGrid
  ...words('npm_', 36),
  ...tokens('pypi-', 50),
  { prefix: 'sk-', body: 'token', min: 20, isMixed: true }, // OpenAI, Anthropic
  ...words('dop_v1_ doo_v1_ dor_v1_', 64), // DigitalOcean
  ...words('hf_', 34), // Hugging Face
  ...words('shpat_ shpss_ shpca_ shppa_', 32), // Shopify
  ...tokens('sq0atp- sq0csp-', 20), // Square
  ...words('dapi', 32), // Databricks
  { prefix: 'hvs.', body: 'dotted', min: 20 }, // HashiCorp Vault
  ...tokens('ATATT3', 50), // Atlassian
  ...words('lin_api_', 40), // Linear
  ...tokens('PMAK-', 30), // Postman
  ...words('glsa_ glc_', 30), // Grafana
  ...words('sntrys_', 30), // Sentry
  ...tokens('NRAK-', 20), // New Relic
  ...tokens('mr_', 40), // Millrace
]
