-- Say something as the edge: a warning, or the error that ends a session which no worker took.
-- KEYS: state, events, queue, audio, client
-- ARGV: live channel, payload, TTL s, '1' to close the session
-- Returns the number of the event; NOSESSION when the session is closed or gone.
if redis.call('HGET', KEYS[1], 'status') ~= 'open' then return redis.error_reply('NOSESSION the session is closed') end
local seq = publish(KEYS[1], KEYS[2], ARGV[1], true, ARGV[2])
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'status', 'closed')
  redis.call('HINCRBY', KEYS[1], 'fence', 1)
  redis.call('DEL', KEYS[4], KEYS[5])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return seq
