-- What the servers of one chat ask of their Redis; each call is one step, whole or not at all.
-- docs/ternchat-broker.md says what the keys hold.
-- SPDX-License-Identifier: MIT
--
-- ARGV: the operation, the prefix of all names, how old events get (ms, 0: any), the server's number,
-- and what the operation takes. The first element of an answer is "ok", or why not.

local P, AGE, S = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local LEASE = 15000               -- ms that a silent server is believed in
local GRACE = 600000              -- ms that a lost member is kept
local NAME_AGE = 180 * 86400000   -- ms after which a name is free for others
local NAMES = 4                   -- that a person holds
local SAID_AGE = 30 * 86400000    -- ms that a program's numbers are known
local PROGRAMS = 1000             -- of a person in a room; then their numbers are forgotten
local EVENTS, MEMBERS, ROOMS, READERS = 100000, 1000, 100000, 16
local OPEN, PRIVATE = 1, 2
local TEXT_TOPIC, JOIN, LEAVE, NICK, KICK = 5, 16, 17, 18, 19
local NO_ID = string.rep('\0', 8)

local call = redis.call
local clock = call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function text(number) -- tostring would round it
    return string.format('%.0f', number)
end

local function is_alive(server)
    local lease = call('ZSCORE', P .. 'servers', server)
    return lease and tonumber(lease) > now
end

local function nick_of(key)
    return call('HGET', P .. 'nicks', key) or '?'
end

local function publish(room, what)
    call('PUBLISH', P .. 'room:' .. room, what)
end

local function publish_to_all(what)
    call('PUBLISH', P .. 'all', what)
end

-- events ----------------------------------------------------------------------------------------------

local function forget_old(log)
    for _, entry in ipairs(call('XRANGE', log, '-', '+', 'COUNT', 4)) do
        if tonumber(entry[2][2]) + AGE < now then
            call('XDEL', log, entry[1])
        end
    end
end

local function append(room, key, id, kind, nick, body, is_ban)
    local seq = call('HINCRBY', P .. 'room:' .. room, 'last', 1)
    local log = P .. 'log:' .. room
    local entry = id .. string.char(kind) .. key .. string.char(#nick) .. nick .. body
    local flags = is_ban and '\1' or '\0'
    call('XADD', log, 'MAXLEN', '~', EVENTS, text(seq) .. '-0', 't', text(now), 'f', flags, 'e', entry)
    if AGE > 0 then
        forget_old(log)
    end
    publish(room, 'E' .. struct.pack('>I8I8', seq, now) .. flags .. entry)
    return seq
end

-- seats -----------------------------------------------------------------------------------------------

local function sit(room, key, state)
    call('HSET', P .. 'seats:' .. room, S .. key, state)
    call('SADD', P .. 'at:' .. S, key .. room)
    call('ZREM', P .. 'gone', key .. room)
    publish(room, 'P' .. S .. key .. state)
end

local function rise(server, room, key)
    call('SREM', P .. 'at:' .. server, key .. room)
    if call('HDEL', P .. 'seats:' .. room, server .. key) == 1 then
        publish(room, 'P' .. server .. key .. '2')
    end
end

local function is_seated(room, key)
    for _, server in ipairs(call('ZRANGE', P .. 'servers', 0, -1)) do
        if call('HEXISTS', P .. 'seats:' .. room, server .. key) == 1 then
            return true
        end
    end
    return false
end

local function is_member(room, key)
    return call('HEXISTS', P .. 'members:' .. room, key) == 1
end

local function keep_for(room, age) -- nil: for ever
    for _, what in ipairs({'room:', 'log:', 'bans:', 'read:'}) do
        if age then
            call('PEXPIRE', P .. what .. room, age)
        else
            call('PERSIST', P .. what .. room)
        end
    end
end

-- The event that says so is the caller's.
local function remove(room, key)
    call('HDEL', P .. 'members:' .. room, key)
    call('SREM', P .. 'rooms:' .. key, room)
    call('ZREM', P .. 'gone', key .. room)
    call('HDEL', P .. 'read:' .. room, key)
    if tonumber(call('ZINCRBY', P .. 'rooms', -1, room)) <= 0 then
        call('ZREM', P .. 'rooms', room)
        if AGE > 0 then
            keep_for(room, AGE)
        end
    end
end

local function leave(room, key, why)
    local nick = call('HGET', P .. 'members:' .. room, key)
    if nick then
        append(room, key, NO_ID, LEAVE, nick, why)
        remove(room, key)
    end
end

local function lose(room, key)
    if is_member(room, key) and not is_seated(room, key) then
        call('ZADD', P .. 'gone', text(now), key .. room)
    end
end

local function go_offline(server, key)
    call('SREM', P .. 'at:' .. server, key)
    call('HDEL', P .. 'online', server .. key)
    publish_to_all('O' .. server .. key .. '2')
end

-- A server that is no more: its people are lost, until they come in through another.
local function reap(server)
    for _, what in ipairs(call('SPOP', P .. 'at:' .. server, 1000)) do
        local key, room = what:sub(1, 32), what:sub(33)
        if room == '' then
            go_offline(server, key)
        else
            rise(server, room, key)
            lose(room, key)
        end
    end
    if call('EXISTS', P .. 'at:' .. server) == 0 then
        call('ZREM', P .. 'servers', server)
    end
end

-- A room as it is now: what there is to know of it, members, who of them is where, and what they have read.
local function snapshot(room)
    local about = call('HMGET', P .. 'room:' .. room, 'flags', 'creator', 'topic', 'last')
    local members = call('HGETALL', P .. 'members:' .. room)
    local seats, read = {}, {}
    if math.floor(tonumber(about[1]) / PRIVATE) % 2 == 1 then
        for i = 1, #members, 2 do
            for _, server in ipairs(call('ZRANGE', P .. 'servers', 0, -1)) do
                local state = call('HGET', P .. 'online', server .. members[i])
                if state then
                    seats[#seats + 1] = server .. members[i]
                    seats[#seats + 1] = state
                end
            end
        end
    else
        seats = call('HGETALL', P .. 'seats:' .. room)
    end
    if #members / 2 <= READERS then
        read = call('HGETALL', P .. 'read:' .. room)
    end
    return {about[1], about[2], about[3], about[4], members, seats, read}
end

-- people ----------------------------------------------------------------------------------------------

local function forget_names(key, kept)
    local names = call('ZREVRANGE', P .. 'names:' .. key, NAMES, -1)
    for _, skeleton in ipairs(names) do
        if skeleton ~= kept then
            call('ZREM', P .. 'names:' .. key, skeleton)
            call('HDEL', P .. 'names', skeleton)
        end
    end
end

local function claim(key, nick, skeleton)
    local held = call('HGET', P .. 'names', skeleton)
    if held and held:sub(9, 40) ~= key then
        if struct.unpack('>I8', held) + NAME_AGE > now then
            return false
        end
        call('ZREM', P .. 'names:' .. held:sub(9, 40), skeleton)
    end
    call('HSET', P .. 'names', skeleton, struct.pack('>I8', now) .. key .. nick)
    call('ZADD', P .. 'names:' .. key, text(now), skeleton)
    forget_names(key, skeleton)
    local before = call('HGET', P .. 'nicks', key)
    call('HSET', P .. 'nicks', key, nick)
    if before and before ~= nick then
        for _, room in ipairs(call('SMEMBERS', P .. 'rooms:' .. key)) do
            call('HSET', P .. 'members:' .. room, key, nick)
            append(room, key, NO_ID, NICK, nick, before)
        end
    end
    return true
end

-- Private conversations with something that they have not read.
local function unread(key)
    local list = {'ok'}
    local pairs_of = call('HGETALL', P .. 'pairs:' .. key)
    for i = 1, #pairs_of, 2 do
        local room = pairs_of[i + 1]
        local last = tonumber(call('HGET', P .. 'room:' .. room, 'last') or '0')
        local read = tonumber(call('HGET', P .. 'read:' .. room, key) or '0')
        if last > read then
            list[#list + 1] = pairs_of[i]
            list[#list + 1] = nick_of(pairs_of[i])
            list[#list + 1] = text(last)
        end
    end
    return list
end

local function make(room, flags, creator)
    local last = text(now * 1024 - 1)
    call('HSET', P .. 'room:' .. room, 'flags', flags, 'creator', creator, 'topic', '', 'last', last)
    return last
end

-- what can be asked -----------------------------------------------------------------------------------

local ask = {}

-- We are here, as the server S; who was let in by a code may come here, too.
function ask.begin()
    call('ZADD', P .. 'servers', text(now + LEASE), S)
    return {'ok', call('SMEMBERS', P .. 'guests')}
end

-- We are no more what we were.
ask['end'] = function()
    reap(S)
    return {call('EXISTS', P .. 'at:' .. S) == 1 and 'more' or 'ok'}
end

-- Every few seconds, of every server: it lives, and others do not.
function ask.beat()
    if not is_alive(S) then
        return {'stale'}
    end
    call('ZADD', P .. 'servers', 'XX', text(now + LEASE), S)
    for _, server in ipairs(call('ZRANGEBYSCORE', P .. 'servers', '-inf', text(now), 'LIMIT', 0, 1)) do
        reap(server)
    end
    local due = call('ZRANGEBYSCORE', P .. 'gone', '-inf', text(now - GRACE), 'LIMIT', 0, 100)
    for _, what in ipairs(due) do
        local key, room = what:sub(1, 32), what:sub(33)
        call('ZREM', P .. 'gone', what)
        if not is_seated(room, key) then
            leave(room, key, 'lost')
        end
    end
    publish_to_all('H' .. S)
    return {'ok', call('SMEMBERS', P .. 'guests')}
end

function ask.hello(key, nick, skeleton, state)
    if not is_alive(S) then
        return {'stale'}
    end
    if not claim(key, nick, skeleton) then
        return {'taken'}
    end
    ask.online(key, state)
    return unread(key)
end

-- Of each: the key, and what they do: 0 here, 1 away, 2 no more connected to this server.
function ask.online(...)
    local list = {...}
    if not is_alive(S) then
        return {'stale'}
    end
    for i = 1, #list, 2 do
        if list[i + 1] == '2' then
            go_offline(S, list[i])
        else
            call('HSET', P .. 'online', S .. list[i], list[i + 1])
            call('SADD', P .. 'at:' .. S, list[i])
            publish_to_all('O' .. S .. list[i] .. list[i + 1])
        end
    end
    return {'ok'}
end

-- What somebody does, wherever they are connected.
function ask.state(key, state)
    publish_to_all('T' .. key .. state)
    return {'ok'}
end

-- Who sits here does something else now.
function ask.move(room, key, state)
    if is_alive(S) and is_member(room, key) then
        sit(room, key, state)
    end
    return {'ok'}
end

function ask.nick(key, nick, skeleton)
    return {claim(key, nick, skeleton) and 'ok' or 'taken'}
end

-- Answers with the number before, and the room.
function ask.join(room, key, flags, may_make, may_all, state)
    if not is_alive(S) then
        return {'stale'}
    end
    local about = call('HMGET', P .. 'room:' .. room, 'creator', 'last')
    local creator, last, is_made = about[1], about[2], not about[1]
    if is_made then
        if may_make ~= '1' then
            return {'rate'}
        end
        if call('ZCARD', P .. 'rooms') >= ROOMS then
            return {'full'}
        end
        creator, last = key, make(room, flags, key)
    end
    if not is_member(room, key) then
        local is_exempt = creator == key or may_all == '1'
        if not is_exempt and call('SISMEMBER', P .. 'bans:' .. room, key) == 1 then
            return {'banned'}
        end
        if call('HLEN', P .. 'members:' .. room) >= MEMBERS then
            return {'full'}
        end
        keep_for(room)
        call('HSET', P .. 'members:' .. room, key, nick_of(key))
        call('SADD', P .. 'rooms:' .. key, room)
        call('ZINCRBY', P .. 'rooms', 1, room)
        append(room, key, NO_ID, JOIN, nick_of(key), '')
    end
    sit(room, key, state)
    return {'ok', is_made and '1' or '0', last, snapshot(room)}
end

-- A private conversation: both are in it from now on.
function ask.open(room, key, other)
    if call('HEXISTS', P .. 'nicks', other) == 0 then
        return {'nobody'}
    end
    local last = call('HGET', P .. 'room:' .. room, 'last')
    local is_made = not last
    if is_made then
        last = make(room, tostring(PRIVATE), key)
        call('HSET', P .. 'pairs:' .. key, other, room)
        call('HSET', P .. 'pairs:' .. other, key, room)
        call('HSET', P .. 'read:' .. room, key, last, other, last)
    end
    call('HSET', P .. 'members:' .. room, key, nick_of(key), other, nick_of(other))
    return {'ok', is_made and '1' or '0', last, snapshot(room)}
end

-- The seat of somebody at this server is empty: they have "left", or the network has "lost" them.
function ask.rise(room, key, why)
    rise(S, room, key)
    if why == 'lost' then
        lose(room, key)
    elseif not is_seated(room, key) then
        leave(room, key, why)
    end
    return {'ok'}
end

local function call_other(room, key, nick, seq)
    local members = call('HKEYS', P .. 'members:' .. room)
    call('HSET', P .. 'read:' .. room, key, text(seq))
    for _, other in ipairs(members) do
        if other ~= key then
            publish_to_all('C' .. other .. key .. struct.pack('>I8', seq) .. string.char(#nick) ..
                           nick .. room)
        end
    end
end

-- Takes each number of a program once: the event's number, or "said".
function ask.say(room, key, id, kind, body)
    local nick = call('HGET', P .. 'members:' .. room, key)
    if not nick then
        return {'gone'}
    end
    local said = P .. 'said:' .. room .. ':' .. key
    local program, number = id:sub(1, 4), struct.unpack('>I4', id:sub(5))
    if number <= tonumber(call('HGET', said, program) or '0') then
        return {'said'}
    end
    if call('HLEN', said) >= PROGRAMS and call('HEXISTS', said, program) == 0 then
        call('DEL', said)
    end
    kind = tonumber(kind)
    if kind == TEXT_TOPIC then
        call('HSET', P .. 'room:' .. room, 'topic', body)
    end
    local flags = tonumber(call('HGET', P .. 'room:' .. room, 'flags'))
    if math.floor(flags / PRIVATE) % 2 == 1 then
        nick = nick_of(key)
    end
    local seq = append(room, key, id, kind, nick, body)
    call('HSET', said, program, text(number))
    call('PEXPIRE', said, SAID_AGE)
    if math.floor(flags / PRIVATE) % 2 == 1 then
        call_other(room, key, nick, seq)
    end
    return {'ok', text(seq)}
end

-- Who of this server's people types, and how far they have read: 41 octets each.
function ask.tell(room, blob)
    for at = 1, #blob, 41 do
        local key, read = blob:sub(at, at + 31), struct.unpack('>I8', blob:sub(at + 33, at + 40))
        if read > tonumber(call('HGET', P .. 'read:' .. room, key) or '0') and is_member(room, key) then
            call('HSET', P .. 'read:' .. room, key, text(read))
        end
    end
    publish(room, 'S' .. S .. blob)
    return {'ok'}
end

-- code: 0 out, 1 out and never again, 2 may come again.
function ask.kick(room, by, key, code, may_all)
    if may_all ~= '1' and call('HGET', P .. 'room:' .. room, 'creator') ~= by then
        return {'right'}
    end
    if code == '1' then
        call('SADD', P .. 'bans:' .. room, key)
    elseif code == '2' then
        call('SREM', P .. 'bans:' .. room, key)
        return {'ok'}
    end
    if not is_member(room, key) then
        return {code == '0' and 'absent' or 'ok'}
    end
    append(room, by, NO_ID, KICK, nick_of(by), key, code == '1')
    for _, server in ipairs(call('ZRANGE', P .. 'servers', 0, -1)) do
        rise(server, room, key)
    end
    remove(room, key)
    return {'ok'}
end

function ask.list(count)
    local list = {'ok'}
    local rooms = call('ZREVRANGE', P .. 'rooms', 0, tonumber(count) - 1, 'WITHSCORES')
    for i = 1, #rooms, 2 do
        local about = call('HMGET', P .. 'room:' .. rooms[i], 'flags', 'topic')
        if about[1] then
            list[#list + 1] = {rooms[i], rooms[i + 1], about[1], about[2]}
        end
    end
    return list
end

-- Events between two numbers, upwards; or before one, downwards.
function ask.fetch(room, from, to, count)
    return {'ok', call('XRANGE', P .. 'log:' .. room, from .. '-0', to .. '-0', 'COUNT', count)}
end

function ask.before(room, to, count)
    return {'ok', call('XREVRANGE', P .. 'log:' .. room, to .. '-0', '-', 'COUNT', count)}
end

-- After a connection was lost: the room as it is, what was said after the number `mine`, and who of those
-- that sit here (key and state of each) is no member any more. Numbers that are gone, because Redis has lost
-- its last seconds, do not come again.
function ask.look(room, mine, ...)
    local seats, strangers = {...}, {}
    local last = call('HGET', P .. 'room:' .. room, 'last')
    if not last then
        return {'absent'}
    end
    if not is_alive(S) then
        return {'stale'}
    end
    if tonumber(last) < tonumber(mine) then
        call('HSET', P .. 'room:' .. room, 'last', text(math.max(now * 1024, tonumber(mine) + 1)))
    end
    for i = 1, #seats, 2 do
        if is_member(room, seats[i]) then
            if call('HGET', P .. 'seats:' .. room, S .. seats[i]) ~= seats[i + 1] then
                sit(room, seats[i], seats[i + 1])
            end
        else
            strangers[#strangers + 1] = seats[i]
        end
    end
    local from = text(tonumber(mine) + 1) .. '-0'
    return {'ok', snapshot(room), strangers, call('XRANGE', P .. 'log:' .. room, from, '+', 'COUNT', 200)}
end

-- To one server, of a file on its way: what docs/ternchat-broker.md has for `to:S`.
function ask.pass(channel, what)
    return {call('PUBLISH', P .. channel, what) > 0 and 'ok' or 'absent'}
end

-- Somebody came in by a code: other servers let them in, too.
function ask.guest(key)
    call('SADD', P .. 'guests', key)
    publish_to_all('G' .. key)
    return {'ok'}
end

return ask[ARGV[1]](unpack(ARGV, 5))
