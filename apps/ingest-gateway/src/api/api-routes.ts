import { type Principal, requireScope, type Scope } from '@millrace/auth'
import { createOpenApiDocument, readOperationInputs } from '@millrace/contracts/http'
import type { Express, Request, Response } from 'express'
import type { ApiDeps } from './api-deps.js'
import { type CheckedInputs, checkInputs } from './check-inputs.js'

type Method = 'get' | 'post' | 'put' | 'delete'

/** Who may call a route: keys with this scope, everyone, or the caller that a function finds. The function throws when the request may not call the route. */
export type Access<Caller> = Scope | 'everyone' | ((req: Request) => Promise<Caller>)

type Handler<Caller> = (req: Request, res: Response, caller: Caller) => Promise<void> | void

interface Route<Caller> extends RouteOptions {
  readonly access: Access<Caller>
  readonly handle: Handler<Caller>
}

interface RouteOptions {
  /** Whether the handler rejects unknown fields of the body itself. Default: the fields are those in the OpenAPI document. */
  readonly checksFields?: boolean
}

const operations = readOperationInputs(createOpenApiDocument())

/**
 * Adds routes to Express. What a route takes is what the OpenAPI document says of it: all other input is refused with 400 (checkInputs), after the key was
 * checked. A route that the document does not have ends the start.
 */
export class ApiRoutes {
  readonly #app: Express
  readonly #identify: ApiDeps['identify']

  constructor(app: Express, { identify }: Pick<ApiDeps, 'identify'>) {
    this.#app = app
    this.#identify = identify
  }

  get<Caller = Principal>(path: string, access: Access<Caller>, handle: Handler<Caller>): void {
    this.#add('get', path, { access, handle })
  }

  post(path: string, access: Access<Principal>, handle: Handler<Principal>, options: RouteOptions = {}): void {
    this.#add('post', path, { access, handle, ...options })
  }

  put(path: string, access: Access<Principal>, handle: Handler<Principal>): void {
    this.#add('put', path, { access, handle })
  }

  delete(path: string, access: Access<Principal>, handle: Handler<Principal>): void {
    this.#add('delete', path, { access, handle })
  }

  #add<Caller>(method: Method, path: string, { access, handle, checksFields = false }: Route<Caller>): void {
    const name = `${method.toUpperCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`
    const operation = operations.get(name)
    if (operation === undefined) throw new Error(`the OpenAPI document does not describe ${name}`)
    if (typeof access === 'string' && access !== (operation.scope ?? 'everyone'))
      throw new Error(`${name} needs ${access}, but the OpenAPI document says ${operation.scope ?? 'everyone'}`)
    const inputs: CheckedInputs = { ...operation, checksFields }
    this.#app[method](path, async (req, res) => {
      const caller = await this.#admit(req, access)
      await checkInputs(req, inputs)
      await handle(req, res, caller as Caller)
    })
  }

  /** The caller; undefined on routes for everyone. */
  async #admit<Caller>(req: Request, access: Access<Caller>): Promise<Caller | Principal | undefined> {
    if (access === 'everyone') return undefined
    if (typeof access === 'function') return await access(req)
    const caller = await this.#identify(req)
    requireScope(caller, access)
    return caller
  }
}
