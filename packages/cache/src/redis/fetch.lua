-- Reads an entry if it is current, and takes the lease of its key if there is no entry that is fresh enough.
-- KEYS: state, entry, lease. ARGV: key, remaining lifetime that the entry needs in ms (-1: no entry is fresh enough), token ('': no lease), ms of the lease.
-- Returns nil when there is no epoch, else {epoch, sequence, quality, lease, now in ms}, and with an entry also {age, ttl, stale, tags, packing, payload}.
local state = redis.call('HMGET', KEYS[1], 'e', 's', 'f', 'p')
if not state[1] then return false end
local needed = tonumber(ARGV[2])
local entry = redis.call('HMGET', KEYS[2], 'e', 'a', 'b', 't', 'x', 'g', 'c', 'v')
local quality, age, now = 'none', 0, now_ms()
if entry[1] then
  if is_current(state, ARGV[1], entry[6], entry[1], tonumber(entry[2])) then
    age = math.max(0, now - tonumber(entry[3]))
    local left = tonumber(entry[4]) - age
    quality = (needed >= 0 and left > needed) and 'fresh' or 'stale'
  else
    redis.call('UNLINK', KEYS[2])
  end
end
local lease = 'not_requested'
if quality ~= 'fresh' and ARGV[3] ~= '' then
  if redis.call('SET', KEYS[3], ARGV[3], 'NX', 'PX', ARGV[4]) then
    lease = 'leased'
  else
    lease = redis.call('GET', KEYS[3]) == '-' and 'open' or 'busy'
  end
end
local at = string.format('%.0f', now)
if quality == 'none' then return { state[1], state[2], quality, lease, at } end
return { state[1], state[2], quality, lease, at, tostring(age), entry[4], entry[5], entry[6], entry[7], entry[8] }
