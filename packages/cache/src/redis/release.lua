-- Ends a lease. KEYS: lease. ARGV: token, ms during which all processes may load at the same time ('0': the next one takes the lease).
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], '-', 'PX', ARGV[2])
return 1
