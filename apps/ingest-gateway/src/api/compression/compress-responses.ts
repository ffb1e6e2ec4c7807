import { constants } from 'node:zlib'
import compression from 'compression'
import type { Request, RequestHandler, Response } from 'express'
import { COMPRESSED_BYTES_MIN, chooseEncoding, compressedBytesMin } from './choose-encoding.js'

/**
 * Compresses responses with br or gzip, except event streams, which would arrive late, and responses that create something. These may contain a
 * new key, whose characters could be guessed from the size of a compressed response (the BREACH attack). Answers to queries are left alone: `sendQueryAnswer` compresses them at less cost.
 */
export function createCompressResponses(): RequestHandler {
  const options = { filter: isCompressible, level: 4, brotli: { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } } }
  const compressAll = compression({ ...options, threshold: 0 })
  const compressLarge = compression({ ...options, threshold: COMPRESSED_BYTES_MIN })
  return function compressResponses(req, res, next) {
    if (req.path.startsWith('/api/v1/query/')) {
      next()
      return
    }
    res.vary('Accept-Encoding')
    // The package also has deflate, whose two forms clients mix up.
    if (chooseEncoding(req, Number.MAX_SAFE_INTEGER) === undefined) next()
    else if (compressedBytesMin(req) === 0) compressAll(req, res, next)
    else compressLarge(req, res, next)
  }
}

function isCompressible(req: Request, res: Response): boolean {
  if (req.method !== 'GET' && req.method !== 'HEAD') return false
  const type = String(res.getHeader('content-type') ?? '')
  return !type.startsWith('text/event-stream') && compression.filter(req, res)
}
