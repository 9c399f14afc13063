-- Looks whether a board is as scripts left it, and at some entries of its log, whether
-- what belongs to them is still there, and whether scores are those that they record.
--
-- KEYS: meta, log, users, announcements, revoked, and the index of action ids
-- ARGV: the entry after which to look, and at how many
-- Returns epoch, seq, ranked_through, and after which entry to look next.
local meta, log, users = unpack(KEYS)
local prefix = string.sub(meta, 1, -5)
local DAY = 86400000

local wrong, state = damage(KEYS)
if wrong then return redis.error_reply('DAMAGED ' .. wrong) end
if not state or state.claimed then
    return redis.error_reply('DAMAGED nothing of this board is in Redis any more')
end

local now = clock()

-- Where what people have is, on the board of an entry.
local function standings_of(entry)
    return entry.board and prefix .. 'standings:' .. entry.board or users
end

-- By which entry the board of an entry was created, or nothing if it is gone.
local function created(entry)
    if not entry.board then return 0 end
    local rules = redis.call('HGET', prefix .. 'rules', entry.board)
    return tonumber(string.match(rules or '', '^%d+'))
end

-- What is missing of an action that was counted, or nothing.
local function missing(number, entry)
    local action = prefix .. 'action:' .. entry.id
    local known = tonumber(entry.known or 0)
    if known > now + MARGIN and redis.call('EXISTS', action) == 0 then return action end
    if entry.limited and tonumber(entry.at) + DAY > now + MARGIN then
        local limited = prefix .. 'limited:' .. entry.user .. ':' .. entry.type
        if redis.call('EXISTS', limited) == 0 then return limited end
    end
    local since = created(entry)
    if not since or number < since then return end
    local record = redis.call('HGET', standings_of(entry), entry.user)
    local best = record and string.match(record, '^%S+ %S+ (%S+)')
    local history = prefix .. 'history:' .. entry.user
    if entry.board then
        history = prefix .. 'histories:' .. entry.board .. ':' .. text(since) .. ':' .. entry.user
    end
    -- A best rank is written together with the first point.
    if best and best ~= '-' and redis.call('EXISTS', history) == 0 then return history end
end

-- The score at which an entry left its user, or nothing if it did not change it.
local function score_after(entry)
    if entry.kind == 'action' then return entry.score end
    -- Early programs wrote that down, and later ones nothing.
    if entry.kind == 'user' and entry.before == '' then return '0' end
end

local function fields_of(entry)
    local fields, names = entry[2], {}
    for field = 1, #fields, 2 do names[fields[field]] = fields[field + 1] end
    return names
end

-- From this entry on scores follow from the log.
local audited = tonumber(state.audited or 0)
-- What the entries looked at so far left, by number.
local scores = {}

-- Does the log record that the entry NUMBER left its user at SCORE? Also if it does not go
-- back so far.
local function is_score_of(number, score)
    if number <= audited then return true end
    if not scores[number] then
        local id = text(number) .. '-0'
        local entry = redis.call('XRANGE', log, id, id)[1]
        scores[number] = entry and score_after(fields_of(entry)) or score
    end
    return scores[number] == score
end

-- Is the score of an entry's user, now and before the entry, one that contradicts the log?
local function is_foreign(number, entry)
    local left = score_after(entry)
    if not left then return false end
    scores[number] = left
    local since = created(entry)
    if not since or number < since then return false end
    local before, before_at = string.match(entry.before or '', '^(%S+) (%d+)$')
    if before and not is_score_of(tonumber(before_at), before) then return true end
    local record = redis.call('HGET', standings_of(entry), entry.user)
    local score, reached = string.match(record or '', '^(%S+) (%d+) ')
    reached = tonumber(reached)
    if not reached then return false end
    if reached > tonumber(state.seq) then return true end
    -- What changed a score is where it was reached, or before that.
    if reached < number then return before ~= left end
    return reached == number and score ~= left
end

local after = math.max(tonumber(ARGV[1]), audited)
local page = redis.call('XRANGE', log, '(' .. text(after) .. '-0', '+', 'COUNT', ARGV[2])
local last
for _, entry in ipairs(page) do
    local number, names = tonumber(string.match(entry[1], '^(%d+)')), fields_of(entry)
    if last and number ~= last + 1 then
        return redis.error_reply('BROKEN ' .. log .. ' has lost entries in Redis after '
            .. text(last))
    end
    last = number
    local lost = names.kind == 'action' and missing(number, names)
    if lost then return redis.error_reply('BROKEN ' .. readable(lost) .. ' is missing in Redis') end
    if is_foreign(number, names) then
        return redis.error_reply('BROKEN ' .. standings_of(names) .. ' has a score of user '
            .. readable(names.user) .. ' in Redis that is not the one of the log')
    end
end
for _, board in ipairs(redis.call('HKEYS', prefix .. 'rules')) do
    local lost = wrong_board(prefix, board)
    if lost then return redis.error_reply('BROKEN ' .. readable(lost)) end
end
if #page < tonumber(ARGV[2]) then last = 0 end
return { state.epoch, state.seq, state.ranked_through, text(last) }
