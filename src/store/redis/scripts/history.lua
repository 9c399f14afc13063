-- What is known of one user's past on a board, as of one moment.
--
-- KEYS: meta, log, users
-- ARGV: the user, the board
-- Returns nothing if nobody is registered, or there is no such board; else what the user has
-- there, the past as far as ranks are known, the user's entries after that, and when they were
-- given a team and groups.
local meta, log, users = unpack(KEYS)
local user, board = unpack(ARGV)
local prefix = string.sub(meta, 1, -5)
local record = redis.call('HGET', users, user)
local rules = redis.call('HGET', prefix .. 'rules', board)
if not record or not rules then return false end
local history, created = prefix .. 'history:' .. user, 0
if board ~= 'main' then
    created = tonumber(string.match(rules, '^%d+'))
    record = redis.call('HGET', prefix .. 'standings:' .. board, user)
    history = prefix .. 'histories:' .. board .. ':' .. text(created) .. ':' .. user
end
local ranked = tonumber(redis.call('HGET', meta, 'ranked_through'))
local rest = {}
local from = '(' .. text(math.max(ranked, created)) .. '-0'
for _, entry in ipairs(redis.call('XRANGE', log, from, '+')) do
    local fields, its_board, its_user = entry[2], 'main', nil
    for field = 1, #fields, 2 do
        if fields[field] == 'user' then its_user = fields[field + 1] end
        if fields[field] == 'board' then its_board = fields[field + 1] end
    end
    local is_on_board = its_board == board or fields[2] ~= 'action'
    if its_user == user and is_on_board then rest[#rest + 1] = entry end
end
local groupings = redis.call('LRANGE', prefix .. 'groupings:' .. user, 0, -1)
return { record or '', redis.call('LRANGE', history, 0, -1), rest, groupings }
