-- Writes ranks that a node has computed, then decides about commands in their order
-- and writes the accepted ones to the log: all of it at once, or nothing.
--
-- Nothing is written to a board that is not as scripts left it, or that has lost what
-- the node has seen. Each part that is written is whole: should something turn out to be
-- wrong further on, what was done so far stays, and is answered as it was when it is sent
-- again.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: 1 if seasons are ended, epoch, nonce, the last entry that the node has folded and its nonce ('' if that
--       is not known), and how much is retained: milliseconds that action ids are
--       remembered, entries of the log, points of a user's history;
--       the number of the first entry whose ranks are sent, how many there are, and what
--       each did;
--       the commands
-- Returns the time in milliseconds, seq, ranked_through, and an outcome per command.
--
-- Numbers are doubles here, which hold all scores and seqs exactly.
local meta, log, users, announcements, revoked = unpack(KEYS)
local INDEX = { KEYS[6], KEYS[7] }
local prefix = string.sub(meta, 1, -5)
local MAX_SCORE = 9007199254740991
local MINUTE, DAY = 60000, 86400000
-- When somebody was given a team and groups: the latest of them.
local LONGEST_GROUPINGS = 1000
-- Of somebody in no team and no group.
local NO_MEMBERSHIP = '- []'

local taken = 0
local function take()
    taken = taken + 1
    return ARGV[taken]
end

local ends_seasons = take() == '1'
local epoch, nonce = take(), take()
local folded, folded_nonce = take(), take()
local remember, keep, longest = take(), tonumber(take()), tonumber(take())

local wrong, state = damage(KEYS)
if wrong then return redis.error_reply('DAMAGED ' .. wrong) end
if not state or state.epoch ~= epoch or state.claimed then
    return redis.error_reply('EPOCH the board has a new epoch')
end
local seq, ranked = tonumber(state.seq), tonumber(state.ranked_through)
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

-- Entries are in the order of time, whatever becomes of the clock.
local now = math.max(clock(), tonumber(state.at or 0))
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

-- Scores are `SCORE`, or `SCORE/SECOND` where the second one is not 0; '-' for none.
-- On `main`: scores, reached and best rank ('-' for none); the entry by which the user was
-- registered; and how the user is shown. Early programs did not note the entry.
local function user(id)
    local record = redis.call('HGET', users, id)
    if not record then return nil end
    local score, reached, best, rest = string.match(record, '^(%S+) (%S+) (%S+) (.*)$')
    if not score then broken(users .. ' has a record in Redis that Podium did not write') end
    local registered, profile = string.match(rest, '^(%d+) (.*)$')
    registered = registered or string.match(reached, '^%d+$') or '1'
    -- Who has not acted has nothing, and stands at 0 on a board for everyone.
    if score == '0' and reached == registered and best == '-' then score, reached = '-', '-' end
    return score, reached, best, registered, profile or rest
end

local function put_user(id, score, reached, best, registered, profile)
    redis.call('HSET', users, id,
        table.concat({ score, reached, best, registered, profile }, ' '))
end

-- Boards of which is looked at what people have there, but for `main`: each is as scripts left it.
local touched = {}
local function standings(board)
    if not touched[board] then
        local wrong = wrong_board(prefix, board)
        if wrong then broken(wrong) end
        touched[board] = true
    end
    return prefix .. 'standings:' .. board
end

-- What a user has on a board: scores, reached and best rank, '-' for none.
local function has_on(board, who)
    if board == 'main' then return user(who) end
    local record = redis.call('HGET', look(standings(board)), who)
    if not record then return '-', '-', '-' end
    local score, reached, best = string.match(record, '^(%S+) (%S+) (%S+)$')
    if not score then
        broken(standings(board) .. ' has a record in Redis that Podium did not write')
    end
    return score, reached, best
end

local function put_on(board, who, score, reached, best)
    if board == 'main' then
        local _, _, _, registered, profile = user(who)
        if profile then put_user(who, score, reached, best, registered, profile) end
    else
        redis.call('HSET', standings(board), who, score .. ' ' .. reached .. ' ' .. best)
    end
end

-- By which rules actions on a board count, and by which entry it was created; nothing if there
-- is no such board.
local rules_of = {}
local function rules(board)
    if rules_of[board] == nil then
        local known = redis.call('HGET', prefix .. 'rules', board)
        local created, operator, direction, second, everyone, starts, its_end, of =
            string.match(known or '', '^(%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
        rules_of[board] = operator and { created = tonumber(created), operator = operator, direction = direction,
            second = second, everyone = everyone, starts = tonumber(starts),
            ends = tonumber(its_end), of = of } or false
    end
    return rules_of[board]
end

-- Is a board there that was there already at this entry, and not one made later under its name?
local function is_of(board, at)
    local by = rules(board)
    return by and at >= by.created
end

local function history_of(board, who)
    if board == 'main' then return prefix .. 'history:' .. who end
    return prefix .. 'histories:' .. board .. ':' .. text(rules(board).created) .. ':' .. who
end

-- All boards that are not derived.
local function fed_boards()
    local boards = {}
    for _, board in ipairs(redis.call('HKEYS', prefix .. 'rules')) do
        if rules(board) and rules(board).of == '-' then boards[#boards + 1] = board end
    end
    return boards
end

-- How a user stood before an entry; '' for nobody.
local function standing(score, reached)
    return score and (score .. ' ' .. reached) or ''
end

local function write_at(at, kind, ...)
    seq = seq + 1
    redis.call('XADD', log, text(seq) .. '-0', 'kind', kind, 'epoch', epoch, 'at', text(at),
        'nonce', nonce, 'ranked', text(ranked), ...)
    -- At once: should this script fail further on, what it did so far is whole.
    redis.call('HSET', meta, 'seq', text(seq), 'at', text(at))
    return text(seq)
end

local function write(kind, ...) return write_at(now, kind, ...) end

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

local function set_best(board, who, best)
    local score, reached = has_on(board, who)
    if score and score ~= '-' then put_on(board, who, score, reached, best) end
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

function ranking.action(at, id, board, who, best, ranks, point)
    local history, last, known_best, _
    if is_of(board, at) then
        _, _, known_best = has_on(board, who)
        history = look(history_of(board, who))
        last = redis.call('LINDEX', history, -1)
        -- A best rank is written together with the first point.
        if not last and known_best and known_best ~= '-' then
            broken(history .. ' is missing in Redis')
        end
    end
    local number = last and point_number(last, history) or 0
    local action = look(prefix .. 'action:' .. id)
    local counted = redis.call('GET', action)
    if not counted and is_indexed(id) then broken(action .. ' is missing in Redis') end
    -- It may have been forgotten, and counted again.
    if counted and string.match(counted, '^b? ?(%d+) ') == text(at) then
        redis.call('APPEND', action, ranks)
    end
    if not history then return end
    if best ~= '' and best ~= known_best then set_best(board, who, best) end
    local length = redis.call('RPUSH', history, text(number + 1) .. ' ' .. point)
    if length > longest then thin(history) end
end

-- A user who was registered again meanwhile has had no rank yet.
function ranking.deleted(at, who)
    for _, board in ipairs(fed_boards()) do
        if is_of(board, at) then
            local history = look(history_of(board, who))
            local last = redis.call('LINDEX', history, -1)
            if last then point_number(last, history) end
            redis.call('DEL', history)
            set_best(board, who, '-')
        end
    end
end

function ranking.other() end

-- The moment of the oldest action that fills a window, if it is full.
local function full(limited, window, limit)
    if limit == 0 then return nil end
    return redis.call('ZREVRANGEBYSCORE', limited, text(now), '(' .. text(now - window),
        'WITHSCORES', 'LIMIT', limit - 1, 1)[2]
end

local function parts(scores)
    if scores == '-' then return nil end
    local score, second = string.match(scores, '^([^/]+)/?(.*)$')
    -- What is no number fails here.
    return score + 0, second == '' and 0 or second + 0
end

-- Does the one rank higher?
local function is_better(by, score, second, than, its_second)
    if score ~= than then return (score > than) == (by.direction == 'highest') end
    if by.second == '-' or second == its_second then return false end
    return (second > its_second) == (by.second == 'highest')
end

-- Points come in halves, because their sum may be no exact number.
local function scores_after(by, old, half, rest, second_half, second_rest)
    local score, second = parts(old)
    local begins_with = score or 0
    local second_begins_with = second or 0
    if by.operator == 'best' or by.operator == 'latest' then
        begins_with, second_begins_with = 0, 0
    end
    if by.operator == 'count' then half, rest = 1, 0 end
    local new = begins_with + half + rest
    local new_second = by.second == '-' and 0 or second_begins_with + second_half + second_rest
    if math.abs(new) > MAX_SCORE or math.abs(new_second) > MAX_SCORE then return nil end
    if by.operator == 'best' and score and not is_better(by, new, new_second, score, second) then
        return old
    end
    return text(new) .. (new_second ~= 0 and '/' .. text(new_second) or '')
end

-- What was decided about this action id before. On `main`, and without a second score, the
-- record is as it was when there was one board.
local function again(counted, board, who, kind, declared, increase, second)
    local its_board, its_second = 'main', '0'
    local its_seq, its_score, its_increase, length, rest =
        string.match(counted, '^(%d+) (%S+) (%S+) (%d+) (.*)$')
    if not its_seq then
        its_seq, its_score, its_increase, length, its_board, its_second, rest =
            string.match(counted, '^b (%d+) (%S+) (%S+) (%d+) (%S+) (%S+) (.*)$')
    end
    if not its_seq then broken(looked_at .. ' was not written by Podium in Redis') end
    local ranks = 17 + tonumber(length)
    if string.sub(rest, 1, 16) ~= who or string.sub(rest, 17, ranks - 1) ~= kind
        or its_board ~= board or its_second ~= second
        or (declared == '0' and its_increase ~= increase) then
        return 'conflict'
    end
    return 'again ' .. its_seq .. ' ' .. its_score .. string.sub(rest, ranks)
end

local function record_of(number, score, increase, board, second, who, kind)
    local head = number .. ' ' .. score .. ' ' .. increase .. ' ' .. #kind .. ' '
    if board ~= 'main' or second ~= '0' then
        head = 'b ' .. head .. board .. ' ' .. second .. ' '
    end
    return head .. who .. kind
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

-- Something has happened to boards by this entry.
local function note_boards(number)
    state.boards_at = number
    redis.call('HSET', meta, 'boards_at', number)
    rules_of = {}
end

function decide.put(id, profile)
    local score, reached, best, registered, known = user(id)
    if known == profile then return 'known' end
    local number = write('user', 'user', id, 'before', standing(score, reached),
        'profile', profile)
    if not score then
        score, reached, best, registered = '-', '-', '-', number
    end
    put_user(id, score, reached, best, registered, profile)
    return 'new ' .. number
end

function decide.act(id, board, who, kind, declared, per_minute, per_day, increase, half, rest,
                    second, second_half, second_rest)
    local action = look(prefix .. 'action:' .. id)
    local counted = redis.call('GET', action)
    if counted then return again(counted, board, who, kind, declared, increase, second) end
    if is_indexed(id) then broken(action .. ' is missing in Redis') end
    local by = rules(board)
    if not by then return 'noboard' end
    if by.of ~= '-' then return 'derived ' .. by.of end
    if not user(who) then return 'unknown' end
    if by.starts and now < by.starts then return 'early' end
    if by.ends and now >= by.ends then return 'ended' end
    local old, reached, best = has_on(board, who)
    local limited = look(prefix .. 'limited:' .. who .. ':' .. kind)
    local has_limits = per_minute ~= '0' or per_day ~= '0'
    local minute = full(limited, MINUTE, tonumber(per_minute))
    local day = full(limited, DAY, tonumber(per_day))
    if minute or day then return 'limited ' .. (minute or '-') .. ' ' .. (day or '-') end
    local score = scores_after(by, old, tonumber(half), tonumber(rest), tonumber(second_half),
        tonumber(second_rest))
    if not score then return 'range' end
    -- First, because only this could be refused: an action without it counts again.
    redis.call('SET', action, record_of(text(seq + 1), score, increase, board, second, who, kind),
        'PX', remember)
    add_to_index(id)
    local more = has_limits and { 'limited', '1' } or {}
    if board ~= 'main' then more = { 'board', board, unpack(more) } end
    if second ~= '0' then more = { 'second', second, unpack(more) } end
    local number = write('action', 'user', who, 'before', standing(old, reached), 'id', id,
        'type', kind, 'increase', increase, 'score', score, 'known', ends, unpack(more))
    if redis.call('HEXISTS', prefix .. 'used', board) == 0 then
        redis.call('HSET', prefix .. 'used', board, '1')
        note_boards(number)
    end
    -- A score that did not change was reached when it was reached first.
    if score ~= old then put_on(board, who, score, number, best) end
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
    -- What they had on other boards than `main`, a line for each.
    local had = {}
    for _, board in ipairs(fed_boards()) do
        if board ~= 'main' then
            local its_score, its_reached = has_on(board, id)
            if its_score ~= '-' then
                had[#had + 1] = board .. ' ' .. its_score .. ' ' .. its_reached
                redis.call('HDEL', standings(board), id)
            end
        end
    end
    local membership = redis.call('HGET', prefix .. 'membership', id) or ''
    local hidden = redis.call('HGET', prefix .. 'hidden', id) or ''
    for _, key in ipairs({ users, prefix .. 'membership', prefix .. 'hidden' }) do
        redis.call('HDEL', key, id)
    end
    redis.call('DEL', prefix .. 'groupings:' .. id)
    return 'new ' .. write('deleted', 'user', id, 'before', standing(score, reached),
        'had', table.concat(had, '\n'), 'membership', membership, 'hidden', hidden)
end

-- Team and groups, `=` for what stays.
function decide.group(id, team, groups)
    if not user(id) then return 'unknown' end
    if team ~= '=' and team ~= '-' and redis.call('HEXISTS', prefix .. 'teams', team) == 0 then
        return 'noteam'
    end
    local key = prefix .. 'membership'
    local before = redis.call('HGET', key, id) or NO_MEMBERSHIP
    local its_team, its_groups = string.match(before, '^(%S+) (.*)$')
    if not its_team then broken(key .. ' has a record in Redis that Podium did not write') end
    if team == '=' then team = its_team end
    if groups == '=' then groups = its_groups end
    local after = team .. ' ' .. groups
    if after == before then return 'known' end
    local number = write('grouped', 'user', id, 'was', before, 'membership', after)
    local groupings = prefix .. 'groupings:' .. id
    redis.call('RPUSH', groupings, number .. ' ' .. text(now) .. ' ' .. after)
    redis.call('LTRIM', groupings, -LONGEST_GROUPINGS, -1)
    if after == NO_MEMBERSHIP then redis.call('HDEL', key, id)
    else redis.call('HSET', key, id, after) end
    return 'new ' .. number
end

function decide.hide(id, hidden, reason)
    if not user(id) then return 'unknown' end
    local key = prefix .. 'hidden'
    if redis.call('HEXISTS', key, id) == tonumber(hidden) then return 'known' end
    local number
    if reason == '' then
        number = write('hidden', 'user', id, 'hidden', hidden)
    else
        number = write('hidden', 'user', id, 'hidden', hidden, 'reason', reason)
    end
    if hidden == '1' then redis.call('HSET', key, id, '1')
    else redis.call('HDEL', key, id) end
    return 'new ' .. number
end

function decide.team(team, profile)
    local key = prefix .. 'teams'
    if redis.call('HGET', key, team) == profile then return 'known' end
    local number = write('team', 'team', team, 'profile', profile)
    redis.call('HSET', key, team, profile)
    return 'new ' .. number
end

-- Has anything happened to boards since the entry as of which the node has checked whether a
-- board may be so?
local function is_behind(checked)
    return tonumber(state.boards_at or 0) > tonumber(checked)
end

-- A board is created or changed. What a derived one is made of was written beside it, from
-- all entries up to MADE_OF.
function decide.board(checked, board, detail, by, season, making, made_of, head)
    if is_behind(checked) or made_of ~= '' and tonumber(made_of) ~= seq then return 'behind' end
    if making ~= '' then
        for _, kind in ipairs({ 'standings:', 'members:', 'finals:' }) do
            local made = prefix .. 'making:' .. making .. ':' .. kind
            redis.call('UNLINK', prefix .. kind .. board)
            if redis.call('EXISTS', made) == 1 then
                redis.call('RENAME', made, prefix .. kind .. board)
                redis.call('PERSIST', prefix .. kind .. board)
            end
        end
        redis.call('HSET', prefix .. 'boards', board, head)
        touched[board] = true
    end
    local known = rules(board)
    local number = write('board', 'board', board, 'detail', detail)
    redis.call('HSET', prefix .. 'rules', board,
        (known and text(known.created) or number) .. ' ' .. by)
    if season ~= '' then
        redis.call('HSET', prefix .. 'seasons', board, season)
    else
        redis.call('HDEL', prefix .. 'seasons', board)
    end
    note_boards(number)
    redis.call('HDEL', meta, 'paused')
    return 'new ' .. number
end

function decide.unboard(checked, board)
    if is_behind(checked) then return 'behind' end
    -- The pasts on it are many keys: nodes delete them afterwards.
    redis.call('HSET', prefix .. 'gone', board .. ':' .. text(rules(board).created), '1')
    local number = write('board_deleted', 'board', board)
    touched[board] = nil
    for _, kind in ipairs({ 'rules', 'seasons', 'used', 'sizes' }) do
        redis.call('HDEL', prefix .. kind, board)
    end
    for _, kind in ipairs({ 'standings:', 'members:', 'finals:' }) do
        redis.call('UNLINK', prefix .. kind .. board)
    end
    note_boards(number)
    return 'new ' .. number
end

-- A season ends once, whichever node is first, and not before its time. Without a next one, which is '-',
-- the board has ended.
function decide.season(board, its_number, its_end, next_end)
    if redis.call('HGET', prefix .. 'seasons', board) ~= its_number .. ' ' .. its_end
        or tonumber(its_end) > now then
        return 'known'
    end
    -- The time of the border, unless a clock was set back since.
    local at = math.max(tonumber(its_end), tonumber(redis.call('HGET', meta, 'at') or 0))
    local number = write_at(at, 'season_ended', 'board', board, 'next', next_end)
    if next_end == '-' then
        redis.call('HDEL', prefix .. 'seasons', board)
    else
        redis.call('HSET', prefix .. 'seasons', board,
            text(tonumber(its_number) + 1) .. ' ' .. next_end)
    end
    note_boards(number)
    return 'new ' .. number
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
    return 'new ' .. write('revoked', 'user', id, 'until', issued_until)
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
        if its_what == what and not is_moved then return 'known' end
        return 'conflict'
    end
    forget_announcements()
    local number = write('announced', 'id', id, 'from', from, 'until', ends, 'what', what)
    redis.call('HSET', announcements, id, number .. ' ' .. from .. ' ' .. ends .. ' ' .. what)
    return 'new ' .. number
end

local reply = {}

-- What follows from an entry beside its ranks: a field of a hash to be set or deleted, or a
-- key to be deleted. What people have on boards that are not derived has been decided already.
local function follow(at, board, kind, field, value)
    -- From which number another board of this id counts on.
    if kind == 'deleted' then
        redis.call('HSET', look(prefix .. kind), board, value)
        return
    end
    local by = rules(board)
    local is_head = kind == 'boards'
    -- A derived board was made as of the entry that created it.
    if by and (at < by.created or at == by.created and by.of ~= '-' or not is_head and kind ~= 'finals' and by.of == '-') then return end
    if not by and not (is_head and value == '') then return end
    if kind == 'standings' or kind == 'members' then standings(board) end
    local key = look(prefix .. (is_head and kind or kind .. ':' .. board))
    if field == '' then
        redis.call('UNLINK', key)
    elseif value == '' then
        redis.call('HDEL', key, field)
    else
        redis.call('HSET', key, field, value)
    end
end

local function write_ranks()
    local arguments = { action = 6, deleted = 1, other = 0 }
    local rank, ranks = tonumber(take()), tonumber(take())
    for at = rank, rank + ranks - 1 do
        local kind = take()
        local from = taken + 1
        taken = taken + arguments[kind]
        local to = taken
        local follows = tonumber(take())
        -- Each is written once and in order, whichever nodes send it.
        if at == ranked + 1 then
            ranking[kind](at, unpack(ARGV, from, to))
            for n = taken, taken + 4 * follows - 4, 4 do
                follow(at, unpack(ARGV, n + 1, n + 4))
            end
            ranked = at
        end
        taken = taken + 4 * follows
    end
end

local function decide_all()
    local arguments = { put = 2, act = 13, delete = 1, revoke = 2, announce = 4, group = 3,
        hide = 3, team = 2, board = 8, unboard = 2, season = 4 }
    while taken < #ARGV do
        local kind = take()
        local from = taken + 1
        taken = taken + arguments[kind]
        reply[#reply + 1] = decide[kind](unpack(ARGV, from, taken))
    end
end

-- While a derived board is finished, others wait.
local paused, until_then = string.match(state.paused or '', '^(%S+) (%d+)$')
if paused and paused ~= nonce and tonumber(until_then) > now then
    return redis.error_reply('BORDER ' .. text(now))
end

-- Nothing comes after the end of a season before that is on the log.
if not ends_seasons then
    for _, season in ipairs(redis.call('HGETALL', prefix .. 'seasons')) do
        -- Names of boards have no blanks.
        local its_end = tonumber(string.match(season, '^%d+ (%d+)$'))
        if its_end and its_end <= now then
            return redis.error_reply('BORDER ' .. text(now))
        end
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
for board in pairs(touched) do
    redis.call('HSET', prefix .. 'sizes', board, sizes_of(prefix, board))
end
redis.call('HSET', meta, 'kept', count_kept(meta, seq))
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
