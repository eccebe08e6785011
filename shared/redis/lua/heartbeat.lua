-- A worker's sign of life; sweeps the dead. One hash, so that readers need one command.
-- KEYS: workers
-- ARGV: worker id, packed presence ('' to leave), seconds after which a worker counts as dead
local now = tonumber(redis.call('TIME')[1])
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local seen = tonumber(string.match(all[i + 1], '^(%d+):'))
  -- A sign from the future was made before Redis's clock was set back; who lives makes another.
  if not seen or now - seen > tonumber(ARGV[3]) or seen > now then redis.call('HDEL', KEYS[1], all[i]) end
end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], now .. ':' .. ARGV[2])
end
return now
