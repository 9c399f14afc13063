-- Returns what is known of the boards of a server, if that is whole. A log is begun only where
-- none of its keys is, and only if that is asked for; its first entry says what `main` is. What
-- a program has left that had one board is taken over: that board becomes `main`.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: nothing; or schema, epoch and nonce of a new log, and of `main` the rules, what its
--       entry says and its settings
-- Returns the time in milliseconds, and then nothing if there is no log, or schema, epoch, rule,
-- seq, ranked_through, when its epoch was begun by a command, and which migration writes it,
-- if one does.
local meta, log = KEYS[1], KEYS[2]
local schema, epoch, nonce, by, detail, settings = unpack(ARGV)
local prefix = string.sub(meta, 1, -5)
-- For early programs, which leave alone what a migration writes.
local LATER = 'a later version'

-- Puts on the log what `main` is.
local function put_main(number, its_epoch, ranked, at)
    redis.call('XADD', log, text(number) .. '-0', 'kind', 'board', 'epoch', its_epoch, 'at',
        text(at), 'nonce', nonce, 'ranked', text(ranked), 'board', 'main', 'detail', detail)
    redis.call('HSET', prefix .. 'rules', 'main', '0 ' .. by)
    redis.call('HSET', meta, 'schema', schema, 'deciding', 'log', 'migrating', LATER, 'seq', text(number), 'at',
        text(at))
end

-- Entries after RANKED that are about no board: they were counted when the log was one.
local function about_nothing(ranked)
    local count = 0
    for _, entry in ipairs(redis.call('XRANGE', log, '(' .. text(ranked) .. '-0', '+')) do
        local fields = {}
        for field = 1, #entry[2], 2 do fields[entry[2][field]] = entry[2][field + 1] end
        -- Where people do not begin at 0, who has nothing is not on the board.
        local has_nothing = fields.before == '' or string.match(fields.before or '', '^%- ')
        if fields.kind == 'revoked' or fields.kind == 'announced'
            or has_nothing and fields.kind ~= 'action' and not string.match(by, '^sum') then
            count = count + 1
        end
    end
    return count
end

local function take_over(state)
    local seq, ranked = tonumber(state.seq), tonumber(state.ranked_through)
    -- The times of the first entry and of the last.
    local times = {}
    for number, entry in ipairs({ redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1],
        redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1] }) do
        for field = 1, #entry[2], 2 do
            if entry[2][field] == 'at' then times[number] = tonumber(entry[2][field + 1]) end
        end
    end
    local at = math.max(clock(), times[2] or 0)
    redis.call('HSET', meta, 'began', text(times[1] or at))
    if seq > 0 then redis.call('HSET', prefix .. 'used', 'main', '1') end
    local head = '{"settings":' .. settings .. ',"seq":' .. text(ranked + about_nothing(ranked))
        .. ',"changed":' .. text(at) .. ',"used":' .. (seq > 0 and 'true' or 'false') .. '}'
    redis.call('HSET', prefix .. 'boards', 'main', head)
    put_main(seq + 1, state.epoch, ranked, at)
    redis.call('HSET', meta, 'kept', count_kept(meta, seq + 1))
    local current = tonumber(string.match(state.indexed or '', '^%d+ ([12])')) or 1
    if is_counted(state) then redis.call('HSET', meta, 'counted', count(KEYS, seq + 1)) end
    if indexed(state) then
        redis.call('HSET', meta, 'indexed', count_ids(KEYS, seq + 1, current))
    end
end

local wrong, state = damage(KEYS)
if wrong then return redis.error_reply('DAMAGED ' .. wrong) end
if schema and not state then
    local now = clock()
    redis.call('HSET', meta, 'epoch', epoch, 'ranked_through', 0, 'began', text(now))
    put_main(1, epoch, 0, now)
    redis.call('HSET', meta, 'counted', count(KEYS, 1), 'indexed', count_ids(KEYS, 1, 1),
        'kept', count_kept(meta, 1))
elseif schema and not state.claimed and state.schema == '1' then
    take_over(state)
end
wrong, state = damage(KEYS)
if wrong then return redis.error_reply('DAMAGED ' .. wrong) end
if not state then return { text(clock()) } end
return { text(clock()), state.schema, state.epoch or false, state.deciding or false,
    state.seq or false, state.ranked_through or false, state.decided or false,
    state.claimed or false }
