// The baseline: an Express app as its documentation begins, with one route that returns a constant.
import express from 'express'

const app = express()
app.post('/v1/track', (_req, res) => {
  res.send('ok')
})
const server = app.listen(Number(process.env.HTTP_PORT), '127.0.0.1', () => process.send?.('ready'))
process.on('SIGTERM', () => {
  server.closeAllConnections()
  server.close()
})
