-- Say something as the session's owner: number, log and announce events, advance what is covered, trim the audio that is covered.
-- KEYS: state, events, audio
-- ARGV: fence, write id, live channel, TTL s, covered sample (-1: unchanged), packed checkpoint ('': unchanged), then pairs: '1' keep or '0', payload
-- Returns the number of the last event. The same write id again changes nothing: the answer to the first was lost on its way.
-- A session that goes forward breaks nobody: its failures are forgotten.
-- Marks at the covered sample (ids from N-1) are kept: a successor must see them.
local refused = fence_or_error(KEYS[1], ARGV[1])
if refused then return refused end
local seq = redis.call('HGET', KEYS[1], 'seq')
if redis.call('HGET', KEYS[1], 'write') == ARGV[2] then return tonumber(seq) end
redis.call('HSET', KEYS[1], 'write', ARGV[2])
for i = 7, #ARGV, 2 do
  seq = publish(KEYS[1], KEYS[2], ARGV[3], ARGV[i] == '1', ARGV[i + 1])
end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'checkpoint', ARGV[6]) end
if ARGV[5] ~= '-1' then
  redis.call('HSET', KEYS[1], 'committed', ARGV[5], 'failures', 0)
  redis.call('XTRIM', KEYS[3], 'MINID', ARGV[5] .. '-1')
end
redis.call('EXPIRE', KEYS[2], ARGV[4])
return tonumber(seq)
