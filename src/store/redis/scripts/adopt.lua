-- Begins a new epoch of a board, with what is left of it, as an operator has decided.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: what epoch and seq of the board were when the operator was asked ('' for none),
--       schema, the new epoch, the last entry, as far as ranks are known, and the rules and the
--       settings of `main`, if they are gone
-- Returns 1, or 0 if the board is another one by now.
local meta = KEYS[1]
for number, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= KINDS[number] then
        return redis.error_reply('DAMAGED ' .. wrong_kind(KEYS))
    end
end
local epoch, seq, schema, new, last, ranked, by, settings = unpack(ARGV)
local prefix = string.sub(meta, 1, -5)
local found = redis.call('HMGET', meta, 'epoch', 'seq', 'claimed', 'decided')
if (found[1] or '') ~= epoch or (found[2] or '') ~= seq or found[3] then return 0 end
for _, key in ipairs(KEYS) do redis.call('PERSIST', key) end
-- Actions whose ids are gone count again, as the operator was warned.
redis.call('UNLINK', KEYS[6], KEYS[7])
-- A clock that was set back must not make this older than the decision before.
local decided = math.max(clock(), tonumber(found[4] or 0) + 1)
redis.call('HSET', meta, 'schema', schema, 'epoch', new, 'deciding', 'log', 'migrating',
    'a later version', 'seq', last,
    'ranked_through', ranked, 'decided', text(decided), 'audited', last,
    'counted', count(KEYS, tonumber(last)), 'indexed', count_ids(KEYS, tonumber(last), 1))
redis.call('HDEL', meta, 'halted')
if redis.call('HEXISTS', meta, 'began') == 0 then
    local first, began = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1], decided
    for field = 1, first and #first[2] or 0, 2 do
        if first[2][field] == 'at' then began = tonumber(first[2][field + 1]) or decided end
    end
    redis.call('HSET', meta, 'began', text(began))
end
if redis.call('HEXISTS', prefix .. 'rules', 'main') == 0 then
    redis.call('HSET', prefix .. 'rules', 'main', '0 ' .. by)
    redis.call('HSET', prefix .. 'used', 'main', '1')
end
-- If no entry has ranks, all is folded from the log.
if tonumber(ranked) > 0 and redis.call('HEXISTS', prefix .. 'boards', 'main') == 0 then
    redis.call('HSET', prefix .. 'boards', 'main', '{"settings":' .. settings .. ',"seq":' .. last
        .. ',"changed":' .. text(decided) .. ',"used":true}')
end
-- A board is what is left of it as a whole, with its season.
if tonumber(ranked) > 0 then
    redis.call('UNLINK', prefix .. 'seasons')
    for _, board in ipairs(redis.call('HKEYS', prefix .. 'rules')) do
        local head = redis.call('HGET', prefix .. 'boards', board)
        local is_read, it = pcall(cjson.decode, head or '')
        if not is_read then
            redis.call('HDEL', prefix .. 'rules', board)
            redis.call('HDEL', prefix .. 'used', board)
        elseif type(it.season) == 'table' and it.season[2] ~= cjson.null then
            redis.call('HSET', prefix .. 'seasons', board,
                text(it.season[1]) .. ' ' .. text(it.season[2]))
        end
    end
end
-- What is left is taken as it is.
redis.call('UNLINK', prefix .. 'sizes')
for _, board in ipairs(redis.call('HKEYS', prefix .. 'rules')) do
    redis.call('HSET', prefix .. 'sizes', board, sizes_of(prefix, board))
end
redis.call('HSET', meta, 'kept', count_kept(meta, tonumber(last)))
return 1
