-- A worker's report, and what it has counted since its last one, added to what all have counted in this stretch of time. Old reports are swept.
-- KEYS: reports, history
-- ARGV: worker id, packed report ('' to leave), packed counts, length of a stretch in s, stretches that are kept, seconds for which a report is kept
local now = sign(KEYS[1], ARGV[1], ARGV[2], ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[6])
local slot = math.floor(now / ARGV[4])
local field = slot % ARGV[5]
local at, packed = string.match(redis.call('HGET', KEYS[2], field) or '', '^(%d+):(.*)$')
local counts = tonumber(at) == slot and cmsgpack.unpack(packed) or {}
for name, amount in pairs(cmsgpack.unpack(ARGV[3])) do counts[name] = (counts[name] or 0) + amount end
redis.call('HSET', KEYS[2], field, slot .. ':' .. cmsgpack.pack(counts))
redis.call('EXPIRE', KEYS[2], ARGV[4] * ARGV[5])
return now
