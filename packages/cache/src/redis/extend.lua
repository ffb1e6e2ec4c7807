-- Renews a lease. KEYS: lease. ARGV: token, ms. Returns 1 if the caller still holds it, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
