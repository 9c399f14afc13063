-- A derived board as of one moment: with all that is on it if that is little, and else with
-- what those have there who are asked for.
--
-- KEYS: meta
-- ARGV: the board, by which entry it was created ('' for any), and of how many all are returned;
--       how many fields of people follow, these, and fields of people in teams
-- Returns nothing if it is not there; else the entry as of which it is, its head, 1 if all
-- follow, and fields and values of people and of people in teams, which are nothing for those
-- who have none.
local meta = KEYS[1]
local prefix, board = string.sub(meta, 1, -5), ARGV[1]
local head = redis.call('HGET', prefix .. 'boards', board)
local by = redis.call('HGET', prefix .. 'rules', board)
-- Another one may have been made in its place.
if not head or not by or string.match(by, ' %-$') then return false end
-- What a migration writes is not counted yet.
local wrong = not redis.call('HGET', meta, 'claimed') and wrong_board(prefix, board)
if wrong then return redis.error_reply('BROKEN ' .. readable(wrong)) end
local ranked = tonumber(redis.call('HGET', meta, 'ranked_through'))
local created = tonumber(string.match(by, '^%d+'))
if ARGV[2] ~= '' and created ~= tonumber(ARGV[2]) then return false end
local as_of = text(math.max(ranked, created))
local standings, members = prefix .. 'standings:' .. board, prefix .. 'members:' .. board
if redis.call('HLEN', standings) + redis.call('HLEN', members) <= tonumber(ARGV[3]) then
    return { as_of, head, 1, redis.call('HGETALL', standings), redis.call('HGETALL', members) }
end
local function values(key, from, to)
    local found = {}
    for at = from, to do
        found[#found + 1] = ARGV[at]
        found[#found + 1] = redis.call('HGET', key, ARGV[at])
    end
    return found
end
local people = tonumber(ARGV[4])
return { as_of, head, 0, values(standings, 5, 4 + people), values(members, 5 + people, #ARGV) }
