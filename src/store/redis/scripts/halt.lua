-- Notes why nothing may be written to a board until an operator has decided, for nodes
-- that cannot see it for themselves. The first reason stays.
--
-- KEYS: meta
-- ARGV: the epoch of the board, the reason
local meta = KEYS[1]
if redis.call('TYPE', meta).ok == 'hash' and redis.call('HGET', meta, 'epoch') == ARGV[1]
    and redis.call('HEXISTS', meta, 'halted') == 0 then
    redis.call('HSET', meta, 'halted', ARGV[2])
end
