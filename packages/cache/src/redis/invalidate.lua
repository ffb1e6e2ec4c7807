-- Notes an invalidation in the state and the log, and publishes a message.
-- KEYS: state, log, then entry and lease of each key. ARGV: name for a new epoch, most names in the state, most entries in the log, channel, message,
-- tags and patterns as JSON, '1' for the whole namespace, the names as the log keeps them; a writer's claim: token and ms of the lease it gets if nothing
-- was invalidated since the position whose epoch and sequence follow.
-- Returns {epoch, sequence}. A missing state was lost, so a new epoch begins and older entries are outdated.
local state, log = KEYS[1], KEYS[2]
if redis.call('HEXISTS', state, 'e') == 0 then
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  redis.call('DEL', state, log)
  redis.call('HSET', state, 'e', ARGV[1], 's', 0, 'f', 0, 'r', run_id)
end
local sequence = redis.call('HINCRBY', state, 's', 1)
for _, tag in ipairs(cjson.decode(ARGV[6])) do redis.call('HSET', state, 't' .. tag, sequence) end

local count = 0
local patterns = cjson.decode(ARGV[7])
if #patterns > 0 then
  local lines = {}
  for i, pattern in ipairs(patterns) do
    pattern = string.gsub(pattern, '%?', '[^\128-\191][\128-\191]*')
    patterns[pattern] = true
    lines[i] = sequence .. ' ' .. pattern .. '\n'
  end
  for number, pattern in string.gmatch(redis.call('HGET', state, 'p') or '', '(%d+) ([^\n]*)\n') do
    if not patterns[pattern] then lines[#lines + 1] = number .. ' ' .. pattern .. '\n' end
  end
  count = #lines
  redis.call('HSET', state, 'p', table.concat(lines))
end

if ARGV[8] == '1' or count > 64 or redis.call('HLEN', state) > tonumber(ARGV[2]) then
  local kept = redis.call('HMGET', state, 'e', 'r')
  redis.call('DEL', state)
  redis.call('HSET', state, 'e', kept[1], 's', sequence, 'f', sequence, 'r', kept[2])
end
local epoch = redis.call('HGET', state, 'e')
local is_claimed = ARGV[12] == epoch and tonumber(ARGV[13]) == sequence - 1
for i = 3, #KEYS, 2 do
  redis.call('UNLINK', KEYS[i], KEYS[i + 1])
  if is_claimed then redis.call('SET', KEYS[i + 1], ARGV[10], 'PX', ARGV[11]) end
end
redis.call('XADD', log, 'MAXLEN', '~', ARGV[3], sequence .. '-0', 'd', ARGV[9])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return { epoch, sequence }
