import type {
  GetTransformsRequest,
  GetTransformsResponse,
  PutTransformsRequest,
  PutTransformsResponse,
  SearchLogsResponse,
  TryTransformsRequest,
  TryTransformsResponse,
} from '@millrace/contracts'
import { coreErrors, SearchLogsRequest } from '@millrace/contracts'
import type { Masker } from '@millrace/masking'
import { type CallContext, tenantOf } from '@millrace/service'
import type { LogRecord } from '../records/log-record.js'
import { type CompiledRules, compileRules, RULE_LIMITS, transformErrors } from '../transforms/compile-rules.js'
import type { CurrentRules } from '../transforms/current-rules.js'
import type { RuleStore } from '../transforms/rule-store.js'
import { readSample } from '../transforms/sample-line.js'
import { tryRules } from '../transforms/try-rules.js'

type Call = Pick<CallContext, 'tenant' | 'caller' | 'signal'>

export interface TransformsDeps {
  readonly store: RuleStore
  readonly current: CurrentRules
  readonly masker: Masker
  readonly searchLogs: (request: SearchLogsRequest, call: Call) => Promise<SearchLogsResponse>
  /** ms since 1970. */
  readonly now: () => number
}

const SAMPLES_MAX = 100
/** Below the largest message of gRPC. */
const RESULT_LENGTH_MAX = 2_000_000

/** Reading, replacing and trying the rules for the lines of the tenant of a call. */
export function createTransformCalls(deps: TransformsDeps) {
  const { store, current } = deps

  async function getTransforms({ version }: GetTransformsRequest, call: Call): Promise<GetTransformsResponse> {
    const tenantId = tenantOf(call)
    const [found, versions] = [await store.read(tenantId, version), await store.versions(tenantId)]
    if (found === undefined) throw coreErrors.NOT_FOUND({ message: `there is no version ${version} of the rules` })
    const { document, createdAt } = found
    return { version: found.version, rulesJson: document, createdAt, createdBy: found.createdBy, versions }
  }

  async function putTransforms(request: PutTransformsRequest, call: Call): Promise<PutTransformsResponse> {
    const tenantId = tenantOf(call)
    const { document } = await readRules(request.rulesJson)
    const { expectedVersion } = request
    const saved = await store.save({ tenantId, document, createdBy: call.caller ?? '', expectedVersion })
    // Other processes see the version within half a second; this one at once.
    await current.refresh().catch(() => undefined)
    return { version: saved.version, createdAt: saved.createdAt, createdBy: saved.createdBy }
  }

  async function tryTransforms(request: TryTransformsRequest, call: Call): Promise<TryTransformsResponse> {
    const json = request.rulesJson === '' ? (await store.read(tenantOf(call), 0))?.document : request.rulesJson
    const { rules } = await readRules(json ?? '')
    const records = await readRecords(request, call, deps)
    const tried = tryRules(rules, records, { masker: deps.masker, nowMs: deps.now() })
    const linesJson: string[] = []
    let length = 0
    for (const line of tried) {
      const text = JSON.stringify(line)
      length += text.length
      if (length > RESULT_LENGTH_MAX) break
      linesJson.push(text)
    }
    return { linesJson, leftOut: tried.length - linesJson.length }
  }

  return { getTransforms, putTransforms, tryTransforms }
}

/** Also the text that is stored: without the white space of the client. */
async function readRules(json: string): Promise<{ readonly rules: CompiledRules; readonly document: string }> {
  if (json.length > RULE_LIMITS.documentCharactersMax)
    throw transformErrors.TRANSFORMS_INVALID({
      message: `the rules have ${json.length} characters; the most are ${RULE_LIMITS.documentCharactersMax}`,
    })
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch (error) {
    throw transformErrors.TRANSFORMS_INVALID({ message: 'the rules are not JSON', cause: error })
  }
  return { rules: await compileRules(parsed), document: JSON.stringify(parsed) }
}

async function readRecords(
  { samplesJson, last, service, query }: TryTransformsRequest,
  call: Call,
  { searchLogs }: TransformsDeps,
): Promise<LogRecord[]> {
  if (samplesJson.length > SAMPLES_MAX || last > SAMPLES_MAX)
    throw coreErrors.INVALID_REQUEST({ message: `at most ${SAMPLES_MAX} lines can be tried at once` })
  const services = service === '' ? [] : [service]
  const asked = SearchLogsRequest.fromPartial({ limit: last, services, query })
  const stored = last === 0 ? [] : (await searchLogs(asked, call)).linesJson
  return [...samplesJson, ...stored].map((json, index) => {
    const record = readSample(JSON.parse(json))
    if (typeof record === 'string')
      throw coreErrors.INVALID_REQUEST({
        message: `lines[${index}] ${record}`,
        details: { field: `lines[${index}]` },
      })
    return record
  })
}
