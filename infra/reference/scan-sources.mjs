// Finds metrics, error codes and log events in the sources by their syntax trees, so that nothing has to be started.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseSync } from '@swc/core'

const METRIC_TYPES = new Set(['counter', 'gauge', 'histogram'])
const LOG_LEVELS = new Set(['info', 'warn', 'error', 'fatal', 'audit', 'security'])

/**
 * Reads every product source file below apps/ and packages/.
 * Returns `{ metrics, errors, rejections, logs, problems }`. A metric name, a help text or a log message that is not a literal
 * cannot be documented; each one is a sentence in `problems`.
 */
export function scanSources(root) {
  const found = { metrics: [], errors: [], rejections: [], logs: [], problems: [] }
  for (const file of sourceFiles(root)) {
    const code = readFileSync(file, 'utf8')
    if (!/\.(counter|gauge|histogram)\(|defineErrors\(|rejectionReasons|log(ger)?\b/i.test(code)) continue
    const module = parseSync(code, { syntax: 'typescript', target: 'es2022' })
    const source = { path: relative(root, file), module, constants: new Map(), found }
    for (const node of nodesOf(module)) rememberConstant(node, source.constants)
    for (const node of nodesOf(module)) if (node.type === 'CallExpression') scanCall(node, source)
    if (source.constants.has('rejectionReasons')) addRejections(source)
  }
  return found
}

function sourceFiles(root) {
  return ['apps', 'packages']
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name, 'src')))
    .flatMap((folder) => filesBelow(folder))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !/\/(testing|gen)\//.test(file))
    .filter((file) => !relative(root, file).startsWith('packages/testing/'))
    .sort(compareTexts)
}

function compareTexts(a, b) {
  return a < b ? -1 : Number(a > b)
}

function filesBelow(folder) {
  let entries = []
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function* nodesOf(value) {
  if (Array.isArray(value)) {
    for (const item of value) yield* nodesOf(item)
    return
  }
  if (value === null || typeof value !== 'object') return
  if (typeof value.type === 'string') yield value
  for (const [key, child] of Object.entries(value)) if (key !== 'span') yield* nodesOf(child)
}

function rememberConstant(node, constants) {
  if (node.type !== 'VariableDeclarator' || node.id.type !== 'Identifier' || !node.init) return
  constants.set(node.id.value, node.init)
}

function scanCall(node, source) {
  // `metrics?.counter(…)` has its callee in one more node.
  const callee = node.callee.type === 'OptionalChainingExpression' ? node.callee.base : node.callee
  if (callee.type === 'Identifier' && callee.value === 'defineErrors') return addErrors(node, source)
  if (callee.type !== 'MemberExpression') return
  const method = callee.property.type === 'Identifier' ? callee.property.value : undefined
  if (METRIC_TYPES.has(method) && isMetricSpec(node.arguments[0]?.expression)) addMetric(node, method, source)
  else if (isLogger(callee.object) && (LOG_LEVELS.has(method) || callee.property.type === 'Computed'))
    addLogs(node, method, source)
}

function isMetricSpec(expression) {
  return expression?.type === 'ObjectExpression' && membersOf(expression).has('help')
}

/** `logger`, `#logger`, `lifecycle.logger` and the like. */
function isLogger(node) {
  const name = node.type === 'MemberExpression' ? node.property : node
  return /^(log|logger)$/i.test(name.value ?? name.id?.value ?? '')
}

function addMetric(node, type, { path, constants, found }) {
  const members = membersOf(node.arguments[0].expression)
  const read = (key) => literalOf(members.get(key), constants)
  const [name, help, labels, alert] = ['name', 'help', 'labels', 'alert'].map(read)
  const hasLabels = labels === undefined ? !members.has('labels') : Array.isArray(labels) && !labels.includes(undefined)
  if (typeof name !== 'string' || typeof help !== 'string' || !hasLabels) {
    found.problems.push(
      `${path}: name, help and labels of the metric ${name ?? ''} must be literals of the same file, so that it can be documented`,
    )
    return
  }
  found.metrics.push({ name, type, help, labels: labels ?? [], alert: alert ?? '', path })
}

function addErrors(node, { path, constants, found }) {
  const table = node.arguments[0]?.expression
  if (table?.type !== 'ObjectExpression') {
    found.problems.push(`${path}: defineErrors takes an object literal, so that its codes can be documented`)
    return
  }
  for (const [code, row] of membersOf(table)) {
    const [kind, message, overrides] = literalOf(row, constants) ?? []
    if (typeof kind !== 'string' || typeof message !== 'string')
      found.problems.push(`${path}: kind and message of ${code} must be literals, so that the code can be documented`)
    else found.errors.push({ code, kind, message, httpStatus: overrides?.httpStatus, path })
  }
}

/** The table of codes for single events, an object of code and reason. */
function addRejections({ path, constants, found }) {
  const table = literalOf(constants.get('rejectionReasons'), constants)
  for (const [code, reason] of Object.entries(table ?? {})) {
    if (typeof reason === 'string') found.rejections.push({ code, reason, path })
    else found.problems.push(`${path}: the reason of ${code} must be a literal, so that it can be documented`)
  }
}

function addLogs(node, level, { path, module, constants, found }) {
  const argument = node.arguments[0]?.expression
  const message = literalOf(argument, constants) ?? passedMessages(argument, node, module)
  const messages = Array.isArray(message) ? message : [message]
  for (const text of messages) {
    if (typeof text === 'string') found.logs.push({ level: level ?? 'varies', message: text, path })
    else found.problems.push(`${path}: a log message must be a literal, so that it can be documented`)
  }
}

/** The texts given to a method that passes its first parameter on as the message of a log line; undefined where there is no such method. */
function passedMessages(argument, call, module) {
  if (argument?.type !== 'Identifier') return undefined
  for (const method of nodesOf(module)) {
    if (method.type !== 'PrivateMethod' && method.type !== 'ClassMethod') continue
    if (method.function.params[0]?.pat.value !== argument.value) continue
    if (![...nodesOf(method.function.body)].includes(call)) continue
    return firstArgumentsOf(nameOf(method.key), module)
  }
  return undefined
}

function firstArgumentsOf(method, module) {
  return [...nodesOf(module)]
    .filter(({ type, callee }) => type === 'CallExpression' && nameOf(callee.property) === method)
    .map(({ arguments: [first] }) => literalOf(first?.expression, new Map()))
}

/** The name of a method, private or not. */
function nameOf(key) {
  return key?.value ?? key?.id?.value
}

function membersOf(object) {
  const members = new Map()
  for (const property of object.properties) {
    if (property.type === 'Identifier') members.set(property.value, property)
    else if (property.type === 'KeyValueProperty') members.set(property.key.value, property.value)
  }
  return members
}

/** The value of a literal, of a constant of the same file, or of a choice between literals (as an array); else undefined. */
function literalOf(node, constants) {
  switch (node?.type) {
    case 'StringLiteral':
    case 'NumericLiteral':
    case 'BooleanLiteral':
      return node.value
    case 'TemplateLiteral':
      return node.expressions.length === 0 ? node.quasis[0].cooked : undefined
    case 'TsAsExpression':
    case 'TsConstAssertion':
    case 'TsSatisfiesExpression':
    case 'ParenthesisExpression':
      return literalOf(node.expression, constants)
    case 'ArrayExpression':
      return node.elements.map((element) => literalOf(element.expression, constants))
    case 'ObjectExpression':
      return Object.fromEntries([...membersOf(node)].map(([key, value]) => [key, literalOf(value, constants)]))
    case 'ConditionalExpression':
      return [literalOf(node.consequent, constants), literalOf(node.alternate, constants)]
    case 'Identifier':
      return constants.has(node.value) ? literalOf(constants.get(node.value), new Map()) : undefined
    case 'BinaryExpression': {
      const [left, right] = [literalOf(node.left, constants), literalOf(node.right, constants)]
      return typeof left === 'string' && typeof right === 'string' ? left + right : undefined
    }
    default:
      return undefined
  }
}
