-- Open a session: state, first event, a place in the queue of sessions.
-- KEYS: queue, state, events, client
-- ARGV: session id, packed configuration, hash of the resume token, packed `ready`, live channel, TTL s, client TTL ms, packed audio format, seconds for which it is kept once it is closed ('' for the usual)
-- Returns the number of `ready`; the same again when it was this very session; 0 when the id is another's.
local token = redis.call('HGET', KEYS[2], 'token')
if token then return token == ARGV[3] and 1 or 0 end
redis.call('HSET', KEYS[2], 'config', ARGV[2], 'token', ARGV[3], 'fence', 0, 'committed', 0, 'seq', 0, 'status', 'open',
  'audio', ARGV[8], 'connection', 1, 'received', 0, 'opened', redis.call('TIME')[1])
if ARGV[9] ~= '' then redis.call('HSET', KEYS[2], 'kept', ARGV[9]) end
local seq = publish(KEYS[2], KEYS[3], ARGV[5], true, ARGV[4])
redis.call('SET', KEYS[4], '1', 'PX', ARGV[7])
redis.call('EXPIRE', KEYS[2], ARGV[6])
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('HSET', KEYS[2], 'entry', redis.call('XADD', KEYS[1], '*', 's', ARGV[1]))
return seq
