"""Lua that Redis runs as one step."""

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from tollkeeper.adapters.redis.clients import Client


class Script:
    """One Lua script: sent by its digest, and as a whole to a server that does not know it yet."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(
        self, client: Client, keys: Sequence[str], arguments: Sequence[str | bytes | int]
    ) -> Any:
        """Run it; its keys lie in one slot of a cluster."""
        call = (len(keys), *keys, *arguments)
        try:
            return await client.execute_command("EVALSHA", self.sha, *call)
        except NoScriptError:
            return await client.execute_command("EVAL", self.text, *call)


INCREMENT = Script("""
local held = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(held) == 'table' and held.err then
    if string.find(held.err, 'not an integer') or string.find(held.err, 'overflow') then
        return false
    end
    return held
end
if redis.call('PTTL', KEYS[1]) < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('GET', KEYS[1])
""")
"""Counts on from KEYS[1] by ARGV[1]; what is new lives for ARGV[2] milliseconds.

The sum comes back as text, for Lua's own numbers are exact to 53 bits only; nil if what is held
is no number. Any other error is the caller's: a replica that may not be written to is no answer.
"""

GCRA = Script("""
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local wait, left, moved, latest, last = 0, false, {}, now, now
for i, key in ipairs(KEYS) do
    local step = tonumber(ARGV[3 * i - 1])
    local tolerance = tonumber(ARGV[3 * i])
    local arrival = tonumber(redis.call('GET', key) or '0')
    local after = math.max(arrival, now) + step * tonumber(ARGV[3 * i + 1])
    wait = math.max(wait, after - tolerance - now)
    local rest = math.floor((tolerance - (after - now)) / step)
    left = left and math.min(left, rest) or rest
    moved[i] = after
    latest, last = math.max(latest, arrival), math.max(last, after)
end
if wait > 0 then
    return {0, 0, wait, latest - now}
end
for i, key in ipairs(KEYS) do
    local life = math.ceil((moved[i] - now) / 1000) + 60000
    redis.call('SET', key, string.format('%.0f', moved[i]), 'PX', string.format('%.0f', life))
end
return {1, left, 0, last - now}
""")
"""Decides as :func:`tollkeeper.domain.rate_limits.decide` does, all or nothing.

ARGV[1] is the time in microseconds, or empty for the server's own; then come each key's step,
tolerance and cost. All numbers are whole and below 2**53, where Lua's are exact. A key lives a
minute longer than it counts, so that a failover to a clock a little behind forgets nothing.
"""
