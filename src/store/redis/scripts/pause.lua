-- Has others wait for a while until a derived board is finished, unless they wait for another.
--
-- KEYS: meta
-- ARGV: the name under which it is made, and for how many milliseconds at most
local meta = KEYS[1]
local name, until_then = string.match(redis.call('HGET', meta, 'paused') or '', '^(%S+) (%d+)$')
local is_another = name and name ~= ARGV[1] and tonumber(until_then) > clock()
if not is_another and redis.call('HEXISTS', meta, 'epoch') == 1 then
    redis.call('HSET', meta, 'paused', ARGV[1] .. ' ' .. text(clock() + tonumber(ARGV[2])))
end
