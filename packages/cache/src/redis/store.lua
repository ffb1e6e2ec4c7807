-- Stores an entry if the caller holds the lease of its key and the entry is current. The caller's lease ends in both cases.
-- The entry counts as at least as old as its lease, however long it took to arrive here.
-- KEYS: state, entry, lease. ARGV: key, token, epoch, position, age, ttl and stale in ms, tags as JSON, packing, payload, when the lease was granted in ms (0: unknown).
-- Returns 1 when it was stored, else 0.
if redis.call('GET', KEYS[3]) ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[3])
local state = redis.call('HMGET', KEYS[1], 'e', 's', 'f', 'p')
if not state[1] or not is_current(state, ARGV[1], ARGV[8], ARGV[3], tonumber(ARGV[4])) then return 0 end
local now, granted = now_ms(), tonumber(ARGV[11])
local age = math.max(tonumber(ARGV[5]), granted > 0 and now - granted or 0)
local left = math.ceil(tonumber(ARGV[6]) + tonumber(ARGV[7]) - age)
if left <= 0 then return 0 end
local born = string.format('%.0f', now - age)
redis.call('HSET', KEYS[2], 'e', ARGV[3], 'a', ARGV[4], 'b', born, 't', ARGV[6], 'x', ARGV[7], 'g', ARGV[8], 'c', ARGV[9], 'v', ARGV[10])
redis.call('PEXPIRE', KEYS[2], left)
return 1
