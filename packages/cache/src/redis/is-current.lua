-- Prepended to fetch.lua and store.lua. Whether an entry's key and tags were not invalidated since its position.
-- KEYS[1] is the state of the namespace: e epoch, s sequence, f floor (entries with lower positions are outdated), p patterns ("<sequence> <pattern>\n" each),
-- r run id of the server, t<tag> the sequence of the tag's last invalidation. `state` is its e, s, f and p.
local function is_current(state, key, tags_json, epoch, position)
  if epoch ~= state[1] or position < tonumber(state[3]) then return false end
  if position == tonumber(state[2]) then return true end
  if tags_json ~= '[]' then
    local fields = cjson.decode(tags_json)
    for i = 1, #fields do fields[i] = 't' .. fields[i] end
    -- Lua allows some thousand arguments of a call.
    for first = 1, #fields, 1000 do
      local last = math.min(first + 999, #fields)
      for _, number in ipairs(redis.call('HMGET', KEYS[1], unpack(fields, first, last))) do
        if number and tonumber(number) > position then return false end
      end
    end
  end
  if state[4] then
    for number, pattern in string.gmatch(state[4], '(%d+) ([^\n]*)\n') do
      if tonumber(number) > position and string.find(key, pattern) then return false end
    end
  end
  return true
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

