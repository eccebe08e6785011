-- Append audio or a mark to a session's audio stream. The id is the position, so that Redis itself refuses what was sent before.
-- KEYS: audio, state
-- ARGV: id, field ('d' audio, 'c' mark), value, TTL s
-- Returns 1 when appended, 0 when it was there already; NOSESSION when the session is closed or gone.
if redis.call('HGET', KEYS[2], 'status') ~= 'open' then return redis.error_reply('NOSESSION the session is closed') end
local reply = redis.pcall('XADD', KEYS[1], ARGV[1], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
if type(reply) == 'table' and reply.err then
  if string.find(reply.err, 'equal or smaller', 1, true) then return 0 end
  return reply
end
return 1
