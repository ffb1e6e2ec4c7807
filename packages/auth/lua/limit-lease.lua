-- Takes tokens from a tenant's bucket for one process to spend.
-- KEYS[1]  hash: tokens (may be below zero), at (microseconds, Redis' own clock)
-- ARGV[1]  tokens a second   ARGV[2]  capacity of the bucket
-- ARGV[3]  tokens needed     ARGV[4]  tokens wanted, at least as many
-- Returns {granted, wait}: granted is 0 when fewer than needed are there, and wait is then the ms until they will be.
-- A need above the capacity is met by a full bucket, which then owes the rest.
local rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local needed, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = capacity
if bucket[1] then
  -- A clock that was set back adds nothing.
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
-- Once full again it says no more than a missing one.
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - tokens) * 1000 / rate) + 1000)
return {granted, wait}
