-- Returns the invalidations since a position. Begins an epoch if there is none, or if the epoch began on another server: a server that restarted or was promoted
-- may have lost invalidations.
-- KEYS: state, log. ARGV: name for a new epoch, epoch and sequence of the position, most entries to return.
-- Returns {kind, epoch, sequence, entries}; kind is same, invalidations or gap; an entry is {id, {'d', names}}.
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local state = redis.call('HMGET', KEYS[1], 'e', 's', 'r')
if not state[1] or state[3] ~= run_id then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[1], 'e', ARGV[1], 's', 0, 'f', 0, 'r', run_id)
  return { 'gap', ARGV[1], '0', {} }
end
local sequence, known = tonumber(state[2]), tonumber(ARGV[3])
if state[1] ~= ARGV[2] or sequence - known > tonumber(ARGV[4]) or sequence < known then return { 'gap', state[1], state[2], {} } end
if sequence == known then return { 'same', state[1], state[2], {} } end
local entries = redis.call('XRANGE', KEYS[2], (known + 1) .. '-0', '+')
-- One entry a number: if there are fewer, the log was trimmed or evicted.
if #entries ~= sequence - known then return { 'gap', state[1], state[2], {} } end
return { 'invalidations', state[1], state[2], entries }
