"""The Lua scripts of `RedisHome`: each is one step that happens whole or not at all.

A room's keys share the hash tag `{room}`, so that a script's keys are in one slot. Times are the
server's, so that the nodes' clocks do not matter. A message on a room's channel begins with what
it is: p a publication, j a member that joined, l one that left.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from typing import Final

# How long a room that nobody asks for keeps its epoch, before and after its first publication.
_UNUSED_MS: Final = 600_000
_USED_MS: Final = 86_400_000

# How long members that have expired wait for somebody to notice.
_FORGET_MS: Final = 3_600_000

_TELL: Final = """
local function tell(channel, message)
  redis.call(redis.REDIS_VERSION_NUM and 'SPUBLISH' or 'PUBLISH', channel, message)
end
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

# A room whose meta is gone, or not ours, begins anew. So does one that is behind what the caller
# has seen: the server came back with older data, and its next offsets would be taken twice. An
# epoch begins with its time, in 12 hexadecimal digits of ms, so that the older one is the lesser.
_CURRENT: Final = (
    f"local UNUSED_MS, USED_MS = {_UNUSED_MS}, {_USED_MS}"
    + """
local meta, log = KEYS[1], KEYS[2]
local known_epoch, known_offset = ARGV[2], ARGV[3]
local epoch, offset, life_ms = unpack(redis.call('HMGET', meta, 'epoch', 'offset', 'life'))
local function is_ours()
  return epoch and offset and life_ms and string.match(epoch, '^%x+$')
    and string.match(offset, '^%d+$') and string.match(life_ms, '^%d+$')
end
local function is_older()
  return epoch < known_epoch
    or (epoch == known_epoch and tonumber(offset) < tonumber(known_offset))
end
if not is_ours() or is_older() then
  local known_ms = tonumber(string.sub(known_epoch, 1, 12), 16) or 0
  local new_epoch = string.format('%012x', math.max(now_ms(), known_ms + 1)) .. ARGV[1]
  redis.call('DEL', log)
  life_ms = UNUSED_MS
  redis.call('HSET', meta, 'epoch', new_epoch, 'offset', '0', 'life', life_ms)
  epoch, offset = new_epoch, '0'
end
redis.call('PEXPIRE', meta, life_ms)
local function drop_expired(now)
  while true do
    local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    if not oldest or (tonumber(oldest[2][2]) or 0) > now then return end
    redis.call('XDEL', log, oldest[1])
  end
end
"""
)

_EXPIRE_MEMBERS: Final = (
    f"local FORGET_MS = {_FORGET_MS}"
    + """
local members, expiry, channel = KEYS[1], KEYS[2], ARGV[1]
local now = now_ms()
local function take_out(id)
  redis.call('ZREM', expiry, id)
  if redis.call('HDEL', members, id) == 1 then tell(channel, 'l' .. id) end
end
local function expire_members()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', now)) do take_out(id) end
end
"""
)


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the name by which the server knows it once loaded."""

    text: str
    sha: str


def _script(*parts: str) -> Script:
    text = "".join(parts)
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


# Redis 7 brought both the sharded channels and the field by which `tell` knows it.
HAS_SHARDED_CHANNELS: Final = _script("return redis.REDIS_VERSION_NUM and 1 or 0")

# KEYS: meta, log, once (the idempotency key).
# ARGV: what makes an epoch unique, what the caller has seen (epoch, offset), channel, octets,
# messages kept, for how long (ms), once's life (ms).
# Returns epoch and offset, those of the first time where once is known.
PUBLISH: Final = _script(
    _TELL,
    _CURRENT,
    """
local once, channel, octets = KEYS[3], ARGV[4], ARGV[5]
local messages, ttl_ms, once_ttl_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local first = redis.call('GET', once)
if first then return {string.match(first, '^(%S+) (%d+)$')} end
offset = string.format('%.0f', redis.call('HINCRBY', meta, 'offset', 1))
local until_forgotten_ms = math.max(USED_MS, ttl_ms)
if until_forgotten_ms > tonumber(life_ms) then
  redis.call('HSET', meta, 'life', until_forgotten_ms)
  redis.call('PEXPIRE', meta, until_forgotten_ms)
end
redis.call('SET', once, epoch .. ' ' .. offset, 'PX', once_ttl_ms)
if messages > 0 and ttl_ms > 0 then
  local now = now_ms()
  local until_ms = string.format('%.0f', now + ttl_ms)
  redis.call('XADD', log, 'MAXLEN', messages, offset .. '-0', 'x', until_ms, 'p', octets)
  redis.call('PEXPIRE', log, ttl_ms)
  drop_expired(now)
else
  redis.call('DEL', log)
end
tell(channel, 'p' .. epoch .. ' ' .. offset .. ' ' .. octets)
return {epoch, offset}
""",
)

# KEYS: meta, log. ARGV: as above to what the caller has seen, since (epoch, offset; empty for the
# latest), limit (-1: none). Returns epoch, offset and the log's entries: the first ones behind
# since, all where that is of another epoch; or the latest first.
READ: Final = _script(
    _TELL,
    _CURRENT,
    """
local since_epoch, since, limit = ARGV[4], ARGV[5], tonumber(ARGV[6])
if limit == 0 then return {epoch, offset, {}} end
drop_expired(now_ms())
local command = {'XREVRANGE', log, '+', '-'}
if since ~= '' then
  local first = since_epoch == epoch and '(' .. since .. '-0' or '-'
  command = {'XRANGE', log, first, '+'}
end
if limit > 0 then
  table.insert(command, 'COUNT')
  table.insert(command, limit)
end
return {epoch, offset, redis.call(unpack(command))}
""",
)

# KEYS: members, expiry, meta. ARGV: channel, time to live (ms), whom to tell of (all, new), then
# pairs of an id and its record. Whoever has not been refreshed in time is taken out, and told of
# once. The room is in use, so its epoch stays.
ENTER: Final = _script(
    _TELL,
    _EXPIRE_MEMBERS,
    """
local ttl_ms, tell_all = tonumber(ARGV[2]), ARGV[3] == 'all'
for i = 4, #ARGV, 2 do
  local id, record = ARGV[i], ARGV[i + 1]
  local is_new = redis.call('HSET', members, id, record) == 1
  redis.call('ZADD', expiry, now + ttl_ms, id)
  if is_new or tell_all then tell(channel, 'j' .. record) end
end
expire_members()
local until_forgotten_ms = ttl_ms + FORGET_MS
redis.call('PEXPIRE', members, until_forgotten_ms)
redis.call('PEXPIRE', expiry, until_forgotten_ms)
local life_ms = redis.call('HGET', KEYS[3], 'life')
if life_ms then redis.call('PEXPIRE', KEYS[3], life_ms) end
""",
)

# KEYS: members, expiry. ARGV: channel, ids.
LEAVE: Final = _script(
    _TELL,
    _EXPIRE_MEMBERS,
    """
for i = 2, #ARGV do take_out(ARGV[i]) end
""",
)

# KEYS: members, expiry. ARGV: channel. Returns the records of those who are there.
PRESENCE: Final = _script(
    _TELL,
    _EXPIRE_MEMBERS,
    """
expire_members()
return redis.call('HVALS', members)
""",
)

ALL: Final = (HAS_SHARDED_CHANNELS, PUBLISH, READ, ENTER, LEAVE, PRESENCE)
