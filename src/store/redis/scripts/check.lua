-- What all scripts begin with that look at a board: is it as they left it?
--
-- `counted` in meta records what there was when the entry SEQ was the last one: `SEQ TAIL
-- USERS ANNOUNCEMENTS REVOKED`, TAIL being the last entry that the log had, and the rest
-- the sizes of hashes. A program that knows nothing of it leaves an older SEQ, and then
-- nothing is compared. `indexed` records the same of the index of action ids: `SEQ CURRENT
-- FIRST SECOND`, CURRENT being which of its two hashes is filled, and the rest their sizes.
-- `kept` records the sizes of the hashes about people and boards, `SEQ SIZE …` in this order:
local KEPT = { 'rules', 'boards', 'seasons', 'used', 'teams', 'membership', 'hidden', 'sizes' }
-- And the hash `sizes` has for each board how many have something there: `PEOPLE MEMBERS`.
local KINDS = { 'hash', 'stream', 'hash', 'hash', 'hash', 'hash', 'hash' }
-- Clocks are set, and what ends now may have ended: milliseconds.
local MARGIN = 60000

local function text(number) return string.format('%.0f', number) end

-- A key as words of a message: ids in keys are bytes.
local function readable(key)
    local escape = function(byte) return string.format('\\x%02x', string.byte(byte)) end
    return (string.gsub(key, '[^\32-\126]', escape))
end

local function clock()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The number of the last entry in a log, 0 for none, or nothing if it is not ours.
local function last_entry(log)
    local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
    if not last then return 0 end
    return tonumber(string.match(last[1], '^(%d+)%-0$'))
end

local function sizes(users, announcements, revoked)
    return redis.call('HLEN', users), redis.call('HLEN', announcements),
        redis.call('HLEN', revoked)
end

-- Which of these keys there are, as words.
local function present(keys)
    local found = {}
    for _, key in ipairs(keys) do
        if redis.call('EXISTS', key) == 1 then found[#found + 1] = key end
    end
    return table.concat(found, ', ')
end

local function wrong_kind(keys)
    for number, key in ipairs(keys) do
        local kind = redis.call('TYPE', key).ok
        if kind ~= 'none' and kind ~= KINDS[number] then
            return key .. ' is a ' .. kind .. ' in Redis, and no ' .. KINDS[number]
                .. ' of Podium'
        end
        local expires = redis.call('PTTL', key)
        if expires >= 0 then
            return key .. ' is to expire in ' .. text(math.ceil(expires / 1000))
                .. ' s, which Podium did not ask for'
        end
    end
end

local function wrong_log(log, seq, tail)
    local last = last_entry(log)
    if not last or last > seq then
        return log .. ' has entries in Redis that Podium did not write'
    end
    -- Of what an older program left it is not known how far the log reached.
    if not tail and seq > 0 and last == 0 then tail = seq end
    if tail and last ~= tail then
        if redis.call('EXISTS', log) == 0 then return log .. ' is missing in Redis' end
        return log .. ' ends at ' .. text(last) .. ' in Redis, and not at ' .. text(tail)
    end
end

local function wrong_size(key, found, wanted)
    if found ~= wanted then
        if redis.call('EXISTS', key) == 0 then return key .. ' is missing in Redis' end
        return key .. ' has ' .. found .. ' entries in Redis, and not ' .. wanted
    end
end

-- Did a program that counts write the last entry?
local function is_counted(state)
    return state.seq == string.match(state.counted or '', '^(%d+) ')
end

-- Which hash of the index of action ids is filled after the entry SEQ, and the sizes of
-- both; nothing if a program that knows no index wrote that entry.
local function indexed(state)
    local number, current, first, second =
        string.match(state.indexed or '', '^(%d+) ([12]) (%d+) (%d+)$')
    if number == state.seq then return tonumber(current), tonumber(first), tonumber(second) end
end

-- The value of `kept` now.
local function count_kept(meta, seq)
    local prefix, sizes_now = string.sub(meta, 1, -5), { text(seq) }
    for _, name in ipairs(KEPT) do
        sizes_now[#sizes_now + 1] = redis.call('HLEN', prefix .. name)
    end
    return table.concat(sizes_now, ' ')
end

-- What is wrong with the hashes about people and boards, or nothing.
local function wrong_kept(meta, state)
    local prefix, at = string.sub(meta, 1, -5), 0
    for wanted in string.gmatch(state.kept or '', '%d+') do
        if at == 0 and wanted ~= state.seq then return end
        local wrong = at > 0 and wrong_size(prefix .. KEPT[at],
            redis.call('HLEN', prefix .. KEPT[at]), tonumber(wanted))
        if wrong then return wrong end
        at = at + 1
    end
end

-- How many have something on a board, as it stands in `sizes`.
local function sizes_of(prefix, board)
    return redis.call('HLEN', prefix .. 'standings:' .. board) .. ' '
        .. redis.call('HLEN', prefix .. 'members:' .. board)
end

-- What is wrong with how many have something on a board, or nothing.
local function wrong_board(prefix, board)
    local wanted = redis.call('HGET', prefix .. 'sizes', board) or '0 0'
    local found = sizes_of(prefix, board)
    if found ~= wanted then
        return prefix .. 'standings:' .. board .. ' and ' .. prefix .. 'members:' .. board
            .. ' have ' .. found .. ' entries in Redis, and not ' .. wanted
    end
end

-- What is wrong with the board in these keys (meta, log, users, announcements,
-- revoked, and the index of action ids), or nothing; and the fields of meta, or nothing if
-- there is no meta.
local function damage(keys)
    local meta, log, users, announcements, revoked, first_ids, second_ids = unpack(keys)
    local wrong = wrong_kind(keys)
    if wrong then return wrong end
    local names = { 'schema', 'epoch', 'deciding', 'seq', 'ranked_through', 'migrating',
        'claimed', 'counted', 'halted', 'decided', 'audited', 'indexed', 'at', 'boards_at', 'paused',
        'kept' }
    local values, state, found = redis.call('HMGET', meta, unpack(names)), {}, false
    for number, name in ipairs(names) do
        state[name] = values[number] or nil
        found = found or state[name]
    end
    if not found then
        local rest = present(keys)
        if rest ~= '' then return meta .. ' is missing in Redis, and there is ' .. rest end
        return nil, nil
    end
    -- A later program notes by another name that a migration writes it, and has this one
    -- keep early programs out.
    if state.schema == '1' then state.claimed = state.migrating end
    if state.claimed then return nil, state end
    local rules = string.sub(meta, 1, -5) .. 'rules'
    if tonumber(state.schema) == 2 and redis.call('HEXISTS', rules, 'main') == 0 then
        return rules .. ' has no rules of main in Redis'
    end
    for number = 1, 5 do
        if not state[names[number]] then
            return meta .. ' has no field ' .. names[number] .. ' in Redis'
        end
    end
    local seq, ranked = tonumber(state.seq), tonumber(state.ranked_through)
    if not seq or not ranked or ranked > seq then
        return meta .. ' says in Redis that the last entry is ' .. readable(state.seq)
            .. ', and that ranks are known through ' .. readable(state.ranked_through)
    end
    local tail, of_users, of_announcements, of_revoked =
        string.match(state.counted or '', '^%d+ (%d+) (%d+) (%d+) (%d+)$')
    if not is_counted(state) then tail = nil end
    wrong = wrong_log(log, seq, tail and tonumber(tail))
    if not wrong and tail then
        local has_users, has_announcements, has_revoked = sizes(users, announcements, revoked)
        wrong = wrong_size(users, has_users, tonumber(of_users))
            or wrong_size(announcements, has_announcements, tonumber(of_announcements))
            or wrong_size(revoked, has_revoked, tonumber(of_revoked))
    end
    local current, of_first, of_second = indexed(state)
    if not wrong and current then
        wrong = wrong_size(first_ids, redis.call('HLEN', first_ids), of_first)
            or wrong_size(second_ids, redis.call('HLEN', second_ids), of_second)
    end
    return wrong or wrong_kept(meta, state) or state.halted, state
end

-- The value of `counted` now.
local function count(keys, seq)
    local _, log, users, announcements, revoked = unpack(keys)
    return table.concat({ text(seq), text(last_entry(log) or 0),
        sizes(users, announcements, revoked) }, ' ')
end

-- The value of `indexed` now, when this hash of the index is filled.
local function count_ids(keys, seq, current)
    return table.concat({ text(seq), current, redis.call('HLEN', keys[6]),
        redis.call('HLEN', keys[7]) }, ' ')
end
