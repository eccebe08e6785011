-- Put a client's wish behind the audio, as the connection that owns the session.
-- KEYS: audio, state
-- ARGV: connection, id, name, TTL s, number of the session's `finalize` ('' for `end`), the client's word for it
-- Returns 1 when put, 0 when it was there already; NOSESSION when the session is closed or gone, TAKENOVER when it is another connection's.
local state = redis.call('HMGET', KEYS[2], 'status', 'connection')
if state[1] ~= 'open' then return redis.error_reply('NOSESSION the session is closed') end
if state[2] ~= ARGV[1] then return redis.error_reply('TAKENOVER connection ' .. state[2] .. ' has the session') end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], 'finalized', ARGV[5]) else redis.call('HSET', KEYS[2], 'ended', 1) end
local reply = redis.pcall('XADD', KEYS[1], ARGV[2], 'c', ARGV[3], 'n', ARGV[5], 'i', ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[4])
if type(reply) == 'table' and reply.err then
  if string.find(reply.err, 'equal or smaller', 1, true) then return 0 end
  return reply
end
return 1
