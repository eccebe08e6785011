-- End a session as its owner: last events, no more audio, entry removed, keys on their way out.
-- KEYS: queue, state, events, audio, client
-- ARGV: fence, group, entry id, live channel, TTL s, covered sample, then payloads
local refused = fence_or_error(KEYS[2], ARGV[1])
if refused then return refused end
if redis.call('HGET', KEYS[2], 'status') == 'closed' then return 0 end
local seq = 0
for i = 7, #ARGV do seq = publish(KEYS[2], KEYS[3], ARGV[4], true, ARGV[i]) end
redis.call('HSET', KEYS[2], 'status', 'closed', 'committed', ARGV[6])
redis.call('HDEL', KEYS[2], 'checkpoint')
redis.call('DEL', KEYS[4], KEYS[5])
local ttl = kept_s(KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[2], ttl)
redis.call('EXPIRE', KEYS[3], ttl)
redis.call('XACK', KEYS[1], ARGV[2], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
return seq
