-- Starts a new history for users whose history on a board is gone, before an epoch is begun
-- with what is left.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: what epoch and seq of the log were when the operator was asked ('' for none), the board,
--       and the users: at most as many as one call can take
-- Returns 1, or 0 if the log is another one by now.
local meta, users = KEYS[1], KEYS[3]
local found = redis.call('HMGET', meta, 'epoch', 'seq', 'claimed')
if (found[1] or '') ~= ARGV[1] or (found[2] or '') ~= ARGV[2] or found[3] then return 0 end
local prefix, board = string.sub(meta, 1, -5), ARGV[3]
local standings, histories = users, prefix .. 'history:'
if board ~= 'main' then
    local created = string.match(redis.call('HGET', prefix .. 'rules', board) or '', '^%d+')
    standings = prefix .. 'standings:' .. board
    histories = prefix .. 'histories:' .. board .. ':' .. (created or '0') .. ':'
end
for at = 4, #ARGV do
    local record = redis.call('HGET', standings, ARGV[at])
    local before, after = string.match(record or '', '^(%S+ %S+ )%S+(.*)$')
    -- As that of somebody who has registered.
    if before and redis.call('EXISTS', histories .. ARGV[at]) == 0 then
        redis.call('HSET', standings, ARGV[at], before .. '-' .. after)
    end
end
return 1
