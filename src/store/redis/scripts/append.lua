#!lua
-- Writes ranks that a node has computed, then decides about commands in their order
-- and writes the accepted ones to the log: all of it at once, or nothing.
--
-- KEYS: meta, log, users, announcements, revoked
-- ARGV: epoch, nonce, and how much is kept: milliseconds that action ids are
--       remembered, entries of the log, points of a user's history;
--       the seq of the first rank, how many ranks there are, and the ranks;
--       the commands
-- Returns the time in milliseconds, seq, ranked_through, and an outcome per command.
--
-- Numbers are doubles here, which hold all scores and seqs exactly.
local meta, log, users, announcements, revoked = unpack(KEYS)
local prefix = string.sub(meta, 1, -5)
local MAX_SCORE = 9007199254740991
local MINUTE, DAY = 60000, 86400000

local taken = 0
local function take()
    taken = taken + 1
    return ARGV[taken]
end

local function text(number) return string.format('%.0f', number) end

local epoch, nonce = take(), take()
local remember, keep, longest = take(), tonumber(take()), tonumber(take())

local state = redis.call('HMGET', meta, 'epoch', 'seq', 'deciding', 'ranked_through',
    'migrating')
if state[1] ~= epoch or state[5] then
    return redis.error_reply('EPOCH the board has begun anew')
end
local seq, deciding, ranked = tonumber(state[2]), state[3], tonumber(state[4])
local first = seq

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Score, reached, best rank ('-' for none), and how the user is shown.
local function user(id)
    local record = redis.call('HGET', users, id)
    if record then return string.match(record, '^(%S+) (%S+) (%S+) (.*)$') end
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

-- Of the older half every second point is left out, never the first. Points are
-- numbered, so that they say how many there were.
local function thin(history)
    local points, kept = redis.call('LRANGE', history, 0, -1), {}
    for number, point in ipairs(points) do
        if number > #points / 2 or number % 2 == 1 then kept[#kept + 1] = point end
    end
    redis.call('DEL', history)
    for from = 1, #kept, 1000 do
        redis.call('RPUSH', history, unpack(kept, from, math.min(from + 999, #kept)))
    end
end

local function add_point(id, point)
    local history = prefix .. 'history:' .. id
    local last = redis.call('LINDEX', history, -1)
    local number = last and tonumber(string.match(last, '^%d+')) or 0
    local length = redis.call('RPUSH', history, text(number + 1) .. ' ' .. point)
    if length > longest then thin(history) end
end

local function set_best(id, best)
    local score, reached, _, profile = user(id)
    if score then put_user(id, score, reached, best, profile) end
end

-- By what an entry did: to write what follows from its ranks.
local ranking = {}

function ranking.action(id, who, best, ranks, point)
    local action = prefix .. 'action:' .. id
    if redis.call('EXISTS', action) == 1 then redis.call('APPEND', action, ranks) end
    if best ~= '' then set_best(who, best) end
    add_point(who, point)
end

-- Whoever has registered again meanwhile has had no rank yet.
function ranking.deleted(who)
    redis.call('DEL', prefix .. 'history:' .. who)
    set_best(who, '-')
end

function ranking.other() end

local arguments = { action = 5, deleted = 1, other = 0 }
local rank, ranks = tonumber(take()), tonumber(take())
for at = rank, rank + ranks - 1 do
    local kind = take()
    local from = taken + 1
    taken = taken + arguments[kind]
    -- Each is written once and in order, whichever nodes send it.
    if at == ranked + 1 then
        ranking[kind](unpack(ARGV, from, taken))
        ranked = at
    end
end
redis.call('HSET', meta, 'ranked_through', text(ranked))

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
    local ranks = 17 + tonumber(length)
    if string.sub(rest, 1, 16) ~= who or string.sub(rest, 17, ranks - 1) ~= kind
        or (declared == '0' and its_increase ~= increase) then
        return 'conflict'
    end
    return 'again ' .. its_seq .. ' ' .. its_score .. string.sub(rest, ranks)
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
    local action = prefix .. 'action:' .. id
    local counted = redis.call('GET', action)
    if counted then return again(counted, who, kind, declared, increase) end
    local old, reached, best, profile = user(who)
    if not old then return 'unknown' end
    local limited = prefix .. 'limited:' .. who .. ':' .. kind
    local minute = full(limited, MINUTE, tonumber(per_minute))
    local day = full(limited, DAY, tonumber(per_day))
    if minute or day then return 'limited ' .. (minute or '-') .. ' ' .. (day or '-') end
    local score = score_after(old, tonumber(half), tonumber(rest))
    if not score then return 'range' end
    -- First, because only this could be refused: an action without it counts again.
    redis.call('SET', action, text(seq + 1) .. ' ' .. score .. ' ' .. increase .. ' ' .. #kind
        .. ' ' .. who .. kind, 'PX', remember)
    local number = write('action', 'user', who, 'before', standing(old, reached), 'id', id,
        'type', kind, 'increase', increase, 'score', score)
    -- A score that did not change was reached when it was reached first.
    if score ~= old then put_user(who, score, number, best, profile) end
    if per_minute ~= '0' or per_day ~= '0' then
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
    if not known or tonumber(known) < tonumber(issued_until) then
        redis.call('HSET', revoked, id, issued_until)
    end
    return 'new ' .. write('revoked', 'user', id, 'until', issued_until) .. ' -'
end

local function announced(id)
    local known = redis.call('HGET', announcements, id)
    if known then return string.match(known, '^(%d+) (%d+) (%d+) (.*)$') end
end

-- Those that have ended are said to nobody any more.
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
arguments = { put = 2, act = 9, delete = 1, revoke = 2, announce = 4 }
while taken < #ARGV do
    local kind = take()
    local from = taken + 1
    taken = taken + arguments[kind]
    reply[#reply + 1] = decide[kind](unpack(ARGV, from, taken))
end

-- Never beyond what has ranks: a board is loaded from there.
local oldest = math.min(seq - keep + 1, ranked)
if seq > first and oldest > 1 then
    redis.call('XTRIM', log, 'MINID', '~', text(oldest) .. '-0')
end
return { text(now), text(seq), text(ranked), reply }
