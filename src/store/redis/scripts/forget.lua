-- Starts a new history for users whose history is gone, before an epoch is begun with what
-- is left of a board.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: what epoch and seq of the board were when the operator was asked ('' for none),
--       and the users: at most as many as one call can take
-- Returns 1, or 0 if the board is another one by now.
local meta, users = KEYS[1], KEYS[3]
local found = redis.call('HMGET', meta, 'epoch', 'seq', 'migrating')
if (found[1] or '') ~= ARGV[1] or (found[2] or '') ~= ARGV[2] or found[3] then return 0 end
local prefix = string.sub(meta, 1, -5)
for at = 3, #ARGV do
    local record = redis.call('HGET', users, ARGV[at])
    local before, after = string.match(record or '', '^(%S+ %S+ )%S+( .*)$')
    -- As that of somebody who has registered.
    if before and redis.call('EXISTS', prefix .. 'history:' .. ARGV[at]) == 0 then
        redis.call('HSET', users, ARGV[at], before .. '-' .. after)
    end
end
return 1
