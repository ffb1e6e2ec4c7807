-- Takes tokens from a tenant's bucket for one process to spend.
-- KEYS[1]  hash: tokens (may be below zero), at (microseconds, Redis' own clock)
-- ARGV[1]  tokens per second  ARGV[2]  capacity of the bucket
-- ARGV[3]  tokens needed      ARGV[4]  tokens wanted, at least as many
-- Returns {granted, wait}. When the bucket has fewer tokens than needed, granted is 0 and wait is the time in ms until it has them.
-- A need above the capacity needs a full bucket and leaves it with a debt.
local rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local needed, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = capacity
if bucket[1] then
  -- A clock that was set back adds no tokens.
  local elapsed = math.max(0, now - tonumber(bucket[2]))
  tokens = math.min(capacity, tonumber(bucket[1]) + elapsed * rate / 1000000)
end
local granted, wait = 0, 0
if tokens >= math.min(needed, capacity) then
  granted = math.max(needed, math.min(wanted, math.floor(tokens)))
  tokens = tokens - granted
else
  wait = math.ceil((math.min(needed, capacity) - tokens) * 1000 / rate)
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
-- A full bucket means the same as a missing key, so the key expires then.
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - tokens) * 1000 / rate) + 1000)
return {granted, wait}
