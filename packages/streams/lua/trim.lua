-- Removes at most a number of the oldest entries, none at or after a given id. XTRIM supports only one of the two limits.
-- KEYS[1] the stream; ARGV[1] id of the first entry that must stay; ARGV[2] most entries to remove; ARGV[3] '' or the id that the newest entry must have
-- Returns the number of removed entries
if ARGV[3] ~= '' then
  -- In the same script as the removal, so that no entry can be added in between.
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
  if #newest == 0 or newest[1][1] ~= ARGV[3] then
    return 0
  end
end
local left = tonumber(ARGV[2])
local removed = 0
while left > 0 do
  -- In small steps, because the entries are copied into the script only for their ids.
  local entries = redis.call('XRANGE', KEYS[1], '-', '(' .. ARGV[1], 'COUNT', math.min(left, 32))
  if #entries == 0 then
    break
  end
  local ids = {}
  for i, entry in ipairs(entries) do
    ids[i] = entry[1]
  end
  -- XTRIM MINID takes the first id that stays: the one right after the last removed entry.
  local ms, seq = string.match(ids[#ids], '^(%d+)-(%d+)$')
  removed = removed + redis.call('XTRIM', KEYS[1], 'MINID', '=', ms .. '-' .. string.format('%d', tonumber(seq) + 1))
  left = left - #entries
end
return removed
