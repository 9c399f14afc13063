-- Writes ranks that a node has computed, then decides about commands in their order
-- and writes the accepted ones to the log: all of it at once, or nothing.
--
-- Nothing is written to a board that is not as scripts left it, or that has lost what
-- the node has seen. Each part that is written is whole: should something turn out to be
-- wrong further on, what was done so far stays, and is answered as it was when it is sent
-- again.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: epoch, nonce, the last entry that the node has folded and its nonce ('' if that
--       is not known), and how much is retained: milliseconds that action ids are
--       remembered, entries of the log, points of a user's history;
--       the seq of the first rank, how many ranks there are, and the ranks;
--       the commands
-- Returns the time in milliseconds, seq, ranked_through, and an outcome per command.
--
-- Numbers are doubles here, which hold all scores and seqs exactly.
local meta, log, users, announcements, revoked = unpack(KEYS)
local INDEX = { KEYS[6], KEYS[7] }
local prefix = string.sub(meta, 1, -5)
local MAX_SCORE = 9007199254740991
local MINUTE, DAY = 60000, 86400000

local taken = 0
local function take()
    taken = taken + 1
    return ARGV[taken]
end

local epoch, nonce = take(), take()
local folded, folded_nonce = take(), take()
local remember, keep, longest = take(), tonumber(take()), tonumber(take())

local wrong, state = damage(KEYS)
if wrong then return redis.error_reply('DAMAGED ' .. wrong) end
if not state or state.epoch ~= epoch or state.migrating then
    return redis.error_reply('EPOCH the board has a new epoch')
end
local seq, deciding, ranked = tonumber(state.seq), state.deciding, tonumber(state.ranked_through)
local first = seq
local current = indexed(state) or tonumber(string.match(state.indexed or '', '^%d+ ([12])')) or 1

-- Has the log the entry that the node has folded?
local function has_folded()
    if tonumber(folded) > seq then return false end
    local id = folded .. '-0'
    local entry = folded_nonce ~= '' and redis.call('XRANGE', log, id, id)[1]
    if not entry then return true end
    for field = 1, #entry[2], 2 do
        if entry[2][field] == 'nonce' then return entry[2][field + 1] == folded_nonce end
    end
    return false
end
if not has_folded() then return redis.error_reply('EPOCH the log is another one') end

local now = clock()
-- When an action that is counted now may be forgotten.
local ends = text(now + tonumber(remember))

-- Ends this call, because of a key that is not as scripts left it.
local function broken(words) error({ broken = readable(words) }) end

-- The key that is looked at, which may be of another type.
local looked_at
local function look(key)
    looked_at = key
    return key
end

-- Score, reached, best rank ('-' for none), and how the user is shown.
local function user(id)
    local record = redis.call('HGET', users, id)
    if not record then return nil end
    local score, reached, best, profile = string.match(record, '^(%S+) (%S+) (%S+) (.*)$')
    if not score then broken(users .. ' has a record in Redis that Podium did not write') end
    return score, reached, best, profile
end

local function put_user(id, score, reached, best, profile)
    redis.call('HSET', users, id, score .. ' ' .. reached .. ' ' .. best .. ' ' .. profile)
end

-- How a user stood before an entry; '' for nobody.
local function standing(score, reached)
    return score and (score .. ' ' .. reached) or ''
end

local function write(kind, ...)
    seq = seq + 1
    redis.call('XADD', log, text(seq) .. '-0', 'kind', kind, 'epoch', epoch, 'at', text(now),
        'nonce', nonce, 'ranked', text(ranked), ...)
    -- At once: should this script fail further on, what it did so far is whole.
    redis.call('HSET', meta, 'seq', text(seq))
    return text(seq)
end

-- The number of a point: how many there were.
local function point_number(point, history)
    local number = string.match(point, '^(%d+) ')
    if not number then broken(history .. ' has a point in Redis that Podium did not write') end
    return tonumber(number)
end

-- Of the older half every second point is left out, never the first.
local function thin(history)
    local points, thinned = redis.call('LRANGE', history, 0, -1), {}
    for number, point in ipairs(points) do
        -- What is not ours is not deleted.
        if not string.match(point, '^%d+ ') then return end
        if number > #points / 2 or number % 2 == 1 then thinned[#thinned + 1] = point end
    end
    redis.call('DEL', history)
    for from = 1, #thinned, 1000 do
        redis.call('RPUSH', history, unpack(thinned, from, math.min(from + 999, #thinned)))
    end
end

local function set_best(id, best)
    local score, reached, _, profile = user(id)
    if score then put_user(id, score, reached, best, profile) end
end

-- Was an action counted under this id that is not forgotten yet?
local function is_indexed(id)
    for _, index in ipairs(INDEX) do
        local known = redis.call('HGET', index, id)
        if known and tonumber(known) > now + MARGIN then return true end
    end
    return false
end

-- By what an entry did: to write what follows from its ranks. Each looks at all its keys
-- before it writes.
local ranking = {}

function ranking.action(at, id, who, best, ranks, point)
    local _, _, known_best = user(who)
    local history = look(prefix .. 'history:' .. who)
    local last = redis.call('LINDEX', history, -1)
    -- A best rank is written together with the first point.
    if not last and known_best and known_best ~= '-' then
        broken(history .. ' is missing in Redis')
    end
    local number = last and point_number(last, history) or 0
    local action = look(prefix .. 'action:' .. id)
    local counted = redis.call('GET', action)
    if not counted and is_indexed(id) then broken(action .. ' is missing in Redis') end
    -- It may have been forgotten, and counted again.
    if counted and string.match(counted, '^(%d+) ') == text(at) then
        redis.call('APPEND', action, ranks)
    end
    if best ~= '' then set_best(who, best) end
    local length = redis.call('RPUSH', history, text(number + 1) .. ' ' .. point)
    if length > longest then thin(history) end
end

-- A user who was registered again meanwhile has had no rank yet.
function ranking.deleted(_, who)
    local history = look(prefix .. 'history:' .. who)
    local last = redis.call('LINDEX', history, -1)
    if last then point_number(last, history) end
    redis.call('DEL', history)
    set_best(who, '-')
end

function ranking.other() end

-- The moment of the oldest action that fills a window, if it is full.
local function full(limited, window, limit)
    if limit == 0 then return nil end
    return redis.call('ZREVRANGEBYSCORE', limited, text(now), '(' .. text(now - window),
        'WITHSCORES', 'LIMIT', limit - 1, 1)[2]
end

-- Points come in halves, because their sum may be no exact number.
local function score_after(old, half, rest)
    local score = half + rest
    if deciding == 'sum' then score = (old == '-' and 0 or tonumber(old)) + half + rest end
    if math.abs(score) > MAX_SCORE then return nil end
    if old ~= '-' then
        if deciding == 'best, highest' then score = math.max(score, tonumber(old)) end
        if deciding == 'best, lowest' then score = math.min(score, tonumber(old)) end
    end
    return text(score)
end

-- What was decided about this action id before.
local function again(counted, who, kind, declared, increase)
    local its_seq, its_score, its_increase, length, rest =
        string.match(counted, '^(%d+) (%S+) (%S+) (%d+) (.*)$')
    if not its_seq then broken(looked_at .. ' was not written by Podium in Redis') end
    local ranks = 17 + tonumber(length)
    if string.sub(rest, 1, 16) ~= who or string.sub(rest, 17, ranks - 1) ~= kind
        or (declared == '0' and its_increase ~= increase) then
        return 'conflict'
    end
    return 'again ' .. its_seq .. ' ' .. its_score .. string.sub(rest, ranks)
end

-- Of two hashes that are filled by turns, one is always full: at least the last `keep` ids
-- are known, and at most twice as many.
local filled
local function add_to_index(id)
    filled = filled or redis.call('HLEN', INDEX[current])
    if filled >= keep then
        current, filled = 3 - current, 0
        redis.call('UNLINK', INDEX[current])
    end
    redis.call('HSET', INDEX[current], id, ends)
    filled = filled + 1
end

local decide = {}

function decide.put(id, profile)
    local score, reached, best, known = user(id)
    if known == profile then return 'known ' .. text(seq) .. ' ' .. score end
    local number = write('user', 'user', id, 'before', standing(score, reached),
        'profile', profile)
    if not score then
        score, reached, best = '-', '-', '-'
        if deciding == 'sum' then score, reached = '0', number end
    end
    put_user(id, score, reached, best, profile)
    return 'new ' .. number .. ' ' .. score
end

function decide.act(id, who, kind, declared, per_minute, per_day, increase, half, rest)
    local action = look(prefix .. 'action:' .. id)
    local counted = redis.call('GET', action)
    if counted then return again(counted, who, kind, declared, increase) end
    if is_indexed(id) then broken(action .. ' is missing in Redis') end
    local old, reached, best, profile = user(who)
    if not old then return 'unknown' end
    local limited = look(prefix .. 'limited:' .. who .. ':' .. kind)
    local has_limits = per_minute ~= '0' or per_day ~= '0'
    local minute = full(limited, MINUTE, tonumber(per_minute))
    local day = full(limited, DAY, tonumber(per_day))
    if minute or day then return 'limited ' .. (minute or '-') .. ' ' .. (day or '-') end
    local score = score_after(old, tonumber(half), tonumber(rest))
    if not score then return 'range' end
    -- First, because only this could be refused: an action without it counts again.
    redis.call('SET', action, text(seq + 1) .. ' ' .. score .. ' ' .. increase .. ' ' .. #kind
        .. ' ' .. who .. kind, 'PX', remember)
    add_to_index(id)
    local number = write('action', 'user', who, 'before', standing(old, reached), 'id', id,
        'type', kind, 'increase', increase, 'score', score,
        'known', ends, unpack(has_limits and { 'limited', '1' } or {}))
    -- A score that did not change was reached when it was reached first.
    if score ~= old then put_user(who, score, number, best, profile) end
    if has_limits then
        redis.call('ZREMRANGEBYSCORE', limited, '-inf', text(now - DAY))
        redis.call('ZADD', limited, text(now), number)
        redis.call('PEXPIRE', limited, DAY)
    end
    return 'new ' .. number .. ' ' .. score
end

function decide.delete(id)
    local score, reached = user(id)
    if not score then return 'unknown' end
    redis.call('HDEL', users, id)
    return 'new ' .. write('deleted', 'user', id, 'before', standing(score, reached)) .. ' -'
end

-- A clock that was set back must not make tokens valid again.
function decide.revoke(id, issued_until)
    local known = redis.call('HGET', revoked, id)
    if known and not tonumber(known) then
        broken(revoked .. ' has a record in Redis that Podium did not write')
    end
    if not known or tonumber(known) < tonumber(issued_until) then
        redis.call('HSET', revoked, id, issued_until)
    end
    return 'new ' .. write('revoked', 'user', id, 'until', issued_until) .. ' -'
end

local function announced(id)
    local known = redis.call('HGET', announcements, id)
    if not known then return nil end
    local number, from, ends, what = string.match(known, '^(%d+) (%d+) (%d+) (.*)$')
    if not number then
        broken(announcements .. ' has a record in Redis that Podium did not write')
    end
    return number, from, ends, what
end

-- Those that have ended are sent to nobody any more.
local function forget_announcements()
    for _, id in ipairs(redis.call('HKEYS', announcements)) do
        local _, _, ends = announced(id)
        if tonumber(ends) <= now then redis.call('HDEL', announcements, id) end
    end
end

function decide.announce(id, from, ends, what)
    local known, its_from, _, its_what = announced(id)
    if known then
        -- Sent again at once it begins a little later, which is no other one; a time
        -- that is still to come was chosen.
        local is_moved = tonumber(from) > now and from ~= its_from
        if its_what == what and not is_moved then return 'known ' .. known .. ' -' end
        return 'conflict'
    end
    forget_announcements()
    local number = write('announced', 'id', id, 'from', from, 'until', ends, 'what', what)
    redis.call('HSET', announcements, id, number .. ' ' .. from .. ' ' .. ends .. ' ' .. what)
    return 'new ' .. number .. ' -'
end

local reply = {}

local function write_ranks()
    local arguments = { action = 5, deleted = 1, other = 0 }
    local rank, ranks = tonumber(take()), tonumber(take())
    for at = rank, rank + ranks - 1 do
        local kind = take()
        local from = taken + 1
        taken = taken + arguments[kind]
        -- Each is written once and in order, whichever nodes send it.
        if at == ranked + 1 then
            ranking[kind](at, unpack(ARGV, from, taken))
            ranked = at
        end
    end
end

local function decide_all()
    local arguments = { put = 2, act = 9, delete = 1, revoke = 2, announce = 4 }
    while taken < #ARGV do
        local kind = take()
        local from = taken + 1
        taken = taken + arguments[kind]
        reply[#reply + 1] = decide[kind](unpack(ARGV, from, taken))
    end
end

local is_done, failure = pcall(function()
    write_ranks()
    decide_all()
end)

-- Never beyond what has ranks: a board is loaded from there.
local oldest = math.min(seq - keep + 1, ranked)
if is_done and seq > first and oldest > 1 then
    redis.call('XTRIM', log, 'MINID', '~', text(oldest) .. '-0')
end
redis.call('HSET', meta, 'ranked_through', text(ranked))
if seq > first or not (is_counted(state) and indexed(state)) then
    redis.call('HSET', meta, 'counted', count(KEYS, seq),
        'indexed', count_ids(KEYS, seq, current))
end
if is_done then return { text(now), text(seq), text(ranked), reply } end

local broken_words = type(failure) == 'table' and failure.broken
if broken_words then return redis.error_reply('BROKEN ' .. broken_words) end
-- The error of Redis, as text or in a table by its version.
local message = type(failure) == 'table' and failure.err or tostring(failure)
if looked_at and string.find(message, 'WRONGTYPE') then
    return redis.error_reply('BROKEN ' .. readable(looked_at) .. ' is of another type in Redis')
end
return redis.error_reply(string.match(message, '^%u+ ') and message or 'ERR ' .. message)
