-- What workers have told.
-- KEYS: reports, history
-- ARGV: length of a stretch in s, stretches that are kept, the second from which on stretches are wanted
-- Returns {{seconds, microseconds}, {worker, report, …}, {'stretch:counts' or nil, …}}.
local time = redis.call('TIME')
local slot, first = math.floor(time[1] / ARGV[1]), math.floor(ARGV[3] / ARGV[1])
local history
if slot - first < tonumber(ARGV[2]) and slot >= first then
  local fields = {}
  for at = first, slot do fields[#fields + 1] = at % ARGV[2] end
  history = redis.call('HMGET', KEYS[2], unpack(fields))
else
  history = redis.call('HVALS', KEYS[2])
end
return { time, redis.call('HGETALL', KEYS[1]), history }
