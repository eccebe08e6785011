-- Count file jobs no more.
-- KEYS: the tenant's jobs
-- ARGV: jobs
for _, job in ipairs(ARGV) do
  local bytes = redis.call('HGET', KEYS[1], job)
  if bytes then
    redis.call('HDEL', KEYS[1], job)
    redis.call('HINCRBY', KEYS[1], 'bytes', -bytes)
  end
end
if redis.call('HLEN', KEYS[1]) == 1 then redis.call('DEL', KEYS[1]) end
return 0
