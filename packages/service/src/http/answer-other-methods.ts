import { coreErrors } from '@millrace/contracts'
import type { Express, RequestHandler } from 'express'

/** What Express keeps of each route. */
interface Layer {
  readonly route?: { readonly methods: Readonly<Record<string, boolean>> } | undefined
  match(path: string): boolean
}

/**
 * Answers requests to a known path with a method that it does not have: OPTIONS with 204, others with 405, both with the header Allow (RFC 9110,
 * section 15.5.6). Put it in front of whatever reads bodies, so that the answer does not depend on the body.
 */
export const answerOtherMethods: RequestHandler = (req, res, next) => {
  const methods = methodsOf(req.app as Express, req.path)
  if (methods.size === 0 || methods.has(req.method)) {
    next()
    return
  }
  res.setHeader('allow', [...methods, 'OPTIONS'].join(', '))
  if (req.method !== 'OPTIONS')
    throw coreErrors.METHOD_NOT_ALLOWED({
      message: `the path has the methods ${[...methods].join(', ')}, not ${req.method}`,
    })
  res.statusCode = 204
  res.end()
}

/** The methods of all routes with this path, with HEAD wherever there is GET. */
function methodsOf(app: Express, path: string): ReadonlySet<string> {
  const methods = new Set<string>()
  for (const layer of app.router.stack as unknown as readonly Layer[]) {
    if (layer.route === undefined || !layer.match(path)) continue
    for (const method of Object.keys(layer.route.methods)) methods.add(method.toUpperCase())
  }
  if (methods.has('GET')) methods.add('HEAD')
  return methods
}
