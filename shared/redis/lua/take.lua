-- Deliver the next session to a worker: one whose lease ended, else a new one; unless a worker with less load is about to ask.
-- KEYS: queue, takers
-- ARGV: group, consumer, lease ms, load of the worker now, and with one session more (0 idle, 1 full), ms that a worker with less load is waited for, ms after which a worker that did not ask again is not waited for
-- Returns {entry, session id}; {id} when nothing is to be had until something comes behind that id; {} when it is left to a worker with less load.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local load = tonumber(ARGV[4])
redis.call('HSET', KEYS[2], ARGV[2], now .. ':' .. ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[7] * 10)

local function is_left_to_another(due_ms)
  if due_ms > tonumber(ARGV[6]) or due_ms < 0 then return false end
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local asked, other = string.match(all[i + 1], '^(%d+):(.+)$')
    local ago = now - tonumber(asked)
    if ago > tonumber(ARGV[7]) or ago < 0 then -- below 0: Redis's clock was set back, and the worker may be gone
      redis.call('HDEL', KEYS[2], all[i])
    elseif tonumber(other) < load then
      return true
    end
  end
  return false
end

local function delivered(entry)
  redis.call('HSET', KEYS[2], ARGV[2], now .. ':' .. ARGV[5])
  return { entry[1], entry[2][2] }
end

local due = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', 1)[1]
if due then
  if is_left_to_another(due[3] - ARGV[3]) then return {} end
  local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], due[1])[1]
  if claimed then return delivered(claimed) end
end

local last = '0-0'
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if info[2] == ARGV[1] then
    for i = 1, #info, 2 do
      if info[i] == 'last-delivered-id' then last = info[i + 1] end
    end
  end
end
local new = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)[1]
if not new then return { last } end
if is_left_to_another(now - tonumber(string.match(new[1], '^(%d+)'))) then return {} end
return delivered(redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], '>')[1][2][1])
