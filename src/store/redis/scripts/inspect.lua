-- Looks whether a board is as scripts left it, and at some entries of its log, whether
-- what belongs to them is still there.
--
-- KEYS: meta, log, users, announcements, revoked
-- ARGV: the entry after which to look, and at how many
-- Returns epoch, seq, ranked_through, and after which entry to look next.
local meta, log, users = unpack(KEYS)
local prefix = string.sub(meta, 1, -5)
local DAY = 86400000
-- Clocks are set, and what ends now may have ended.
local MARGIN = 60000

local wrong, state = damage(KEYS)
if wrong then return redis.error_reply('DAMAGED ' .. wrong) end
if not state or state.migrating then
    return redis.error_reply('DAMAGED nothing of this board is in Redis any more')
end

local now = clock()

-- What is missing of an action that was counted, or nothing.
local function missing(entry)
    local action = prefix .. 'action:' .. entry.id
    local known = tonumber(entry.known or 0)
    if known > now + MARGIN and redis.call('EXISTS', action) == 0 then return action end
    if entry.limited and tonumber(entry.at) + DAY > now + MARGIN then
        local limited = prefix .. 'limited:' .. entry.user .. ':' .. entry.type
        if redis.call('EXISTS', limited) == 0 then return limited end
    end
    local record = redis.call('HGET', users, entry.user)
    local best = record and string.match(record, '^%S+ %S+ (%S+) ')
    local history = prefix .. 'history:' .. entry.user
    -- A best rank is written together with the first point.
    if best and best ~= '-' and redis.call('EXISTS', history) == 0 then return history end
end

local after = math.max(tonumber(ARGV[1]), tonumber(state.audited or 0))
local page = redis.call('XRANGE', log, '(' .. text(after) .. '-0', '+', 'COUNT', ARGV[2])
local last
for _, entry in ipairs(page) do
    local number, fields, names = tonumber(string.match(entry[1], '^(%d+)')), entry[2], {}
    if last and number ~= last + 1 then
        return redis.error_reply('BROKEN ' .. log .. ' has lost entries in Redis after '
            .. text(last))
    end
    last = number
    for field = 1, #fields, 2 do names[fields[field]] = fields[field + 1] end
    local lost = names.kind == 'action' and missing(names)
    if lost then return redis.error_reply('BROKEN ' .. readable(lost) .. ' is missing in Redis') end
end
if #page < tonumber(ARGV[2]) then last = 0 end
return { state.epoch, state.seq, state.ranked_through, text(last) }
