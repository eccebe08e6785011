-- In front of this stands PUBLISH, the command that announces: in a cluster SPUBLISH.

local function fence_or_error(state, fence)
  local current = redis.call('HGET', state, 'fence')
  if not current then return redis.error_reply('NOSESSION the session is gone') end
  if current ~= fence then return redis.error_reply('SUPERSEDED fence ' .. fence .. ' is not ' .. current) end
  return nil
end

-- Number one message, log it if it is to be kept, announce it. The number stands in front of the payload on the channel and is the id in the log.
local function publish(state, events, live, keep, payload)
  local seq = redis.call('HINCRBY', state, 'seq', 1)
  if keep then redis.call('XADD', events, seq .. '-0', 'e', payload) end
  redis.call(PUBLISH, live, seq .. ':' .. payload)
  return seq
end


-- How long a closed session is kept: as its tenant has it, else as usual.
local function kept_s(state, usual) return redis.call('HGET', state, 'kept') or usual end

-- Keep a worker's latest word in a hash, behind the second in which it was said, or take it out when it is ''; sweep those of the dead. Returns that second.
local function sign(key, worker, word, dead_after)
  local now = tonumber(redis.call('TIME')[1])
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local seen = tonumber(string.match(all[i + 1], '^(%d+):'))
    -- A sign from the future was made before Redis's clock was set back; who lives makes another.
    if not seen or now - seen > tonumber(dead_after) or seen > now then redis.call('HDEL', key, all[i]) end
  end
  if word == '' then
    redis.call('HDEL', key, worker)
  else
    redis.call('HSET', key, worker, now .. ':' .. word)
  end
  return now
end
