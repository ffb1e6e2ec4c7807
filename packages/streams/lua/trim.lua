-- Removes some of the oldest entries, none at or after a given id. XTRIM can do either, not both.
-- KEYS[1] the stream; ARGV[1] id of the first entry that must stay; ARGV[2] how many may go
-- Returns how many went
local left = tonumber(ARGV[2])
local removed = 0
while left > 0 do
  -- Small steps: entries are copied into the script only for their ids.
  local entries = redis.call('XRANGE', KEYS[1], '-', '(' .. ARGV[1], 'COUNT', math.min(left, 32))
  if #entries == 0 then
    break
  end
  local ids = {}
  for i, entry in ipairs(entries) do
    ids[i] = entry[1]
  end
  -- XTRIM MINID wants the first id that stays; the one right after the last that goes does.
  local ms, seq = string.match(ids[#ids], '^(%d+)-(%d+)$')
  removed = removed + redis.call('XTRIM', KEYS[1], 'MINID', '=', ms .. '-' .. string.format('%d', tonumber(seq) + 1))
  left = left - #entries
end
return removed
