-- Say something as the edge, for the connection that owns the session: a warning, or the error that ends the session.
-- KEYS: state, events, queue, audio, client
-- ARGV: live channel, payload, TTL s, '1' to close the session, connection
-- Returns the number of the event; NOSESSION when the session is closed or gone, TAKENOVER when it is another connection's.
local state = redis.call('HMGET', KEYS[1], 'status', 'connection', 'owner', 'entry')
if state[1] ~= 'open' then return redis.error_reply('NOSESSION the session is closed') end
if state[2] ~= ARGV[5] then return redis.error_reply('TAKENOVER connection ' .. state[2] .. ' has the session') end
local ttl = ARGV[4] == '1' and kept_s(KEYS[1], ARGV[3]) or ARGV[3]
local seq = publish(KEYS[1], KEYS[2], ARGV[1], true, ARGV[2])
if ARGV[4] == '1' then
  if not state[3] and state[4] then redis.call('XDEL', KEYS[3], state[4]) end -- it waits for a worker no longer
  redis.call('HSET', KEYS[1], 'status', 'closed')
  redis.call('HINCRBY', KEYS[1], 'fence', 1)
  redis.call('DEL', KEYS[4], KEYS[5])
  redis.call('EXPIRE', KEYS[1], ttl)
end
redis.call('EXPIRE', KEYS[2], ttl)
return seq
