-- Say something as the session's owner: number, log and announce events, advance what is covered, trim the audio that is covered.
-- KEYS: state, events, audio
-- ARGV: fence, live channel, TTL s, covered sample (-1: unchanged), packed checkpoint ('': unchanged), then pairs: '1' keep or '0', payload
-- Returns the number of the last event. Marks at the covered sample (ids N-1, N-2) are kept: a successor must see them.
local refused = fence_or_error(KEYS[1], ARGV[1])
if refused then return refused end
local seq = redis.call('HGET', KEYS[1], 'seq')
for i = 6, #ARGV, 2 do
  seq = publish(KEYS[1], KEYS[2], ARGV[2], ARGV[i] == '1', ARGV[i + 1])
end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'checkpoint', ARGV[5]) end
if ARGV[4] ~= '-1' then
  redis.call('HSET', KEYS[1], 'committed', ARGV[4])
  redis.call('XTRIM', KEYS[3], 'MINID', ARGV[4] .. '-1')
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return tonumber(seq)
