-- Extend a lease, by its owner only.
-- KEYS: queue, state, audio, events, client
-- ARGV: fence, group, consumer, entry id, TTL s
-- Returns 1 while an edge holds the client, 0 when none does; SUPERSEDED when the lease is another's.
local refused = fence_or_error(KEYS[2], ARGV[1])
if refused then return refused end
local pending = redis.call('XPENDING', KEYS[1], ARGV[2], ARGV[4], ARGV[4], 1)
if #pending == 0 or pending[1][2] ~= ARGV[3] then return redis.error_reply('SUPERSEDED the lease is another worker\'s') end
redis.call('XCLAIM', KEYS[1], ARGV[2], ARGV[3], 0, ARGV[4], 'IDLE', 0, 'JUSTID')
for i = 2, 4 do redis.call('EXPIRE', KEYS[i], ARGV[5]) end
return redis.call('EXISTS', KEYS[5])
