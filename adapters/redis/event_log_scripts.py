"""What Redis does with a log of events in one step each.

A log is a stream, KEYS[1], and a hash of what is true of it as a whole, KEYS[2]: its ``life``, the
number and the moment of its ``last`` event, its ``age``, and whether it ``ended``. An entry's id is
``<moment>-<number>``: the moment in milliseconds never falls, the number has no holes. So Redis
trims by age, and a hole between a reader and the oldest entry is seen. An ended log has one entry
more, without an event: it wakes those who wait.
"""

from tollkeeper.adapters.redis.scripts import Script

APPEND = Script("""
local state = redis.call('HMGET', KEYS[2], 'life', 'last', 'moment', 'ended')
if state[4] then
    return false
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life, last = state[1], tonumber(state[2] or '0')
local moment = math.max(now, tonumber(state[3] or '0'))
if not life then
    life = ARGV[1]
    redis.call('DEL', KEYS[1])
end
local age = tonumber(ARGV[3])
local at = string.format('%.0f', moment)
for i = 4, #ARGV do
    redis.call('XADD', KEYS[1], string.format('%s-%.0f', at, last + i - 3), 'd', ARGV[i])
end
local first = last + 1
last = string.format('%.0f', last + #ARGV - 3)
redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', ARGV[2])
redis.call('XTRIM', KEYS[1], 'MINID', '=', string.format('%.0f', now - age + 1))
redis.call('HSET', KEYS[2], 'life', life, 'last', last, 'moment', at, 'age', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', 2 * age))
return {life, at, first}
""")
"""Appends ARGV[4] and all after it; the log keeps ARGV[2] events for ARGV[3] ms.

ARGV[1] is the life of a log that begins. The answer is the life, the moment and the first number;
nil if the log has ended.
"""

END = Script("""
local state = redis.call('HMGET', KEYS[2], 'life', 'last', 'moment', 'ended')
if state[4] then
    return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local moment = string.format('%.0f', math.max(now, tonumber(state[3] or '0')))
local last = tonumber(state[2] or '0')
if not state[1] then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[2], 'life', ARGV[1], 'last', '0', 'moment', moment)
end
redis.call('XADD', KEYS[1], string.format('%s-%.0f', moment, last + 1), 'e', '')
redis.call('HSET', KEYS[2], 'ended', '1', 'age', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
""")
"""Ends the log, which is kept for ARGV[2] ms more; ARGV[1] is the life of one that begins."""

READ = Script("""
local state = redis.call('HMGET', KEYS[2], 'life', 'last', 'moment', 'ended', 'age')
local life, last, moment = state[1], tonumber(state[2]), state[3]
if not life then
    return {ARGV[1] == '' and 'tail' or 'lost', '0-0'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local age = tonumber(state[5])
redis.call('XTRIM', KEYS[1], 'MINID', '=', string.format('%.0f', now - age + 1))
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local first = last + 1
if oldest then
    first = tonumber(string.match(oldest[1], '-(%d+)$'))
end
local number = tonumber(ARGV[3])
local tail = string.format('%s-%.0f', moment, last)
local lost = {'lost', string.format('%s-0-%.0f', life, first - 1)}
if (ARGV[1] ~= '' and ARGV[1] ~= life) or number < first - 1 or number > last then
    return lost
end
if number == last then
    if state[4] then
        return {'ended'}
    end
    if redis.call('PTTL', KEYS[2]) < age then
        redis.call('PEXPIRE', KEYS[2], age)
    end
    return {'tail', tail}
end
local from = ARGV[1] == '' and '-' or string.format('(%s-%s', ARGV[2], ARGV[3])
if number == first - 1 then
    from = '-'
end
local found = redis.call('XRANGE', KEYS[1], from, tail, 'COUNT', ARGV[4])
local next = found[1] and tonumber(string.match(found[1][1], '-(%d+)$'))
if next ~= number + 1 then
    return lost
end
return {(state[4] and number + #found == last) and 'ended' or 'found', life, found}
""")
"""Reads ARGV[4] entries after moment ARGV[2] and number ARGV[3] of the life ARGV[1], or '' and 0.

The answer begins with a word. ``found`` and ``ended``: the life and the entries, or nothing for a
log that has ended there. ``tail``: there is nothing yet, after the entry named next. ``lost``:
something was forgotten; next comes the id to resume from, or 0-0 if nothing is left.
"""
