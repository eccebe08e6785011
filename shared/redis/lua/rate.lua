-- Let a request of a tenant pass, or say when the next may: the generic cell rate algorithm (ITU-T I.371), by Redis's clock.
-- KEYS: the tenant's theoretical arrival time, in microseconds
-- ARGV: requests in a period, period in s
-- Returns {1 or 0, requests left, ms until one more may pass, ms until all may}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, period = tonumber(ARGV[1]), ARGV[2] * 1000000
local step = period / limit
local due = tonumber(redis.call('GET', KEYS[1]) or now)
-- A time behind the longest that can be owed was written before Redis's clock was set back.
if due < now or due > now + period then due = now end
local passes = due + step - now <= period + 0.5
if passes then
  due = due + step
  redis.call('SET', KEYS[1], string.format('%.3f', due), 'PX', math.ceil(period / 1000))
end
local left = math.max(0, math.floor((now + period - due) / step + 0.001))
local wait = left > 0 and 0 or math.max(0, math.ceil((due + step - now - period) / 1000))
return { passes and 1 or 0, left, wait, math.max(0, math.ceil((due - now) / 1000)) }
