"""What Redis's errors mean to a caller."""

import re
from socket import gaierror
from ssl import SSLEOFError, SSLError, SSLSyscallError, SSLZeroReturnError

from redis import exceptions as theirs
from redis.asyncio.sentinel import MasterNotFoundError

from tollkeeper.adapters.wire.causes import chain, without_frames
from tollkeeper.domain.errors import (
    CorruptResponse,
    CredentialsRefused,
    PoolExhausted,
    PortError,
    Rejected,
    Timeout,
    TollkeeperError,
    Unavailable,
)

ADAPTER = "redis"
KNOWN = (theirs.RedisError, theirs.RedisClusterException, OSError, TimeoutError)
"""What the client raises."""
_CODE = re.compile(r"([A-Z][A-Z0-9]{2,31})\b")
_IN_SCRIPT = re.compile(r"@user_script: ?\d+: -([A-Z]+)\b")
"""How Redis 6 says what a command of a script failed with; Redis 7 begins with the code."""
_NEVER_SENT = (ConnectionRefusedError, gaierror, MasterNotFoundError, theirs.MaxConnectionsError)
_NOT_DONE = (theirs.ResponseError, theirs.BusyLoadingError, theirs.AuthenticationError)
_PASSING = (theirs.ConnectionError, theirs.TimeoutError, theirs.RedisClusterException, OSError)
_BROKEN_OFF = (SSLEOFError, SSLZeroReturnError, SSLSyscallError)
_LOCKED_OUT = (
    theirs.AuthenticationError,
    theirs.AuthorizationError,
    theirs.AuthenticationWrongNumberOfArgsError,
)
_AWAY = ("BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "READONLY")
_REFUSED = ("NOAUTH", "NOPERM", "WRONGPASS")


def never_done(error: BaseException) -> bool:
    """Whether the command certainly has no effect: it was not sent, or Redis refused it."""
    return isinstance(error, _NOT_DONE) or any(isinstance(e, _NEVER_SENT) for e in chain(error))


def is_passing(error: BaseException) -> bool:
    """Whether the same command may well work a moment later."""
    if isinstance(error, _LOCKED_OUT) or _is_of_tls(error):
        return False
    if isinstance(error, theirs.ResponseError):
        return _code(error) in _AWAY
    return isinstance(error, _PASSING)


def is_of_a_replica(error: BaseException) -> bool:
    """Whether it says that this server is the master no longer."""
    return isinstance(error, theirs.ResponseError) and _code(error) == "READONLY"


def translate(error: Exception, *, port: str, changes: bool) -> TollkeeperError:
    """Return the typed error for *error*, which becomes its cause, without its frames.

    Args:
        error: what the client raised; errors of ours stay as they are.
        port: the port that asked.
        changes: whether the command does something else when it is sent twice.
    """
    if isinstance(error, TollkeeperError):
        return error
    kind, text = _meaning(error)
    typed = kind(
        text,
        port=port,
        adapter=ADAPTER,
        ambiguous=changes and not never_done(error),
        provider_code=_code(error),
    )
    # The frames hold the password; the texts do not.
    typed.__cause__ = without_frames(error)
    return typed


def busy_pool(port: str) -> PoolExhausted:
    """Make the answer to a caller for whom no connection became free in time."""
    return PoolExhausted(
        "all connections to Redis are in use; raise pool_size or ask less at once",
        port=port,
        adapter=ADAPTER,
    )


def not_open(port: str) -> Unavailable:
    """Make the answer to a use outside of ``async with``, or in another event loop."""
    return Unavailable(
        "the connections to Redis are not open in this event loop; use them inside `async with`",
        port=port,
        adapter=ADAPTER,
        code="not_open",
    )


def _is_of_tls(error: BaseException) -> bool:
    """Whether no connection will come about as long as the settings or the server stay."""
    return any(
        isinstance(e, SSLError | FileNotFoundError | PermissionError)
        and not isinstance(e, _BROKEN_OFF)
        for e in chain(error)
    )


def _code(error: Exception) -> str:
    """Return the word that Redis's own errors begin with; empty for those of the client."""
    if isinstance(error, theirs.OutOfMemoryError):
        return "OOM"
    if isinstance(error, theirs.ReadOnlyError):
        return "READONLY"
    if isinstance(error, theirs.NoPermissionError):
        return "NOPERM"
    if isinstance(error, theirs.NoScriptError):
        return "NOSCRIPT"
    if isinstance(error, theirs.BusyLoadingError):
        return "LOADING"
    if isinstance(error, theirs.ClusterDownError):
        return "CLUSTERDOWN"
    if not isinstance(error, theirs.ResponseError):
        return ""
    match = _CODE.match(str(error)) or _IN_SCRIPT.search(str(error))
    return match[1] if match else ""


def _meaning(error: Exception) -> tuple[type[PortError], str]:
    code = _code(error)
    if isinstance(error, _LOCKED_OUT) or code in _REFUSED:
        return CredentialsRefused, "Redis refuses the user or the password, or what they may do"
    if isinstance(error, theirs.MaxConnectionsError):
        return PoolExhausted, "all connections to Redis are in use"
    if isinstance(error, theirs.TimeoutError | TimeoutError):
        return Timeout, "Redis did not answer in time"
    if code == "OOM":
        return Unavailable, "Redis has no memory left; raise maxmemory or let it evict"
    if code in _AWAY:
        return Unavailable, f"Redis cannot do this at the moment ({code}); try again"
    if _is_of_tls(error):
        return Unavailable, (
            "the TLS connection to Redis fails; check that it speaks TLS, and that ca_file names "
            "who signed its certificate"
        )
    if isinstance(error, theirs.ConnectionError | OSError):
        return Unavailable, "Redis cannot be reached, or broke off"
    if isinstance(error, theirs.RedisClusterException | theirs.ClusterError):
        return Unavailable, "the Redis cluster cannot be reached; check that it is one, and whole"
    if isinstance(error, theirs.InvalidResponse):
        return CorruptResponse, "Redis's answer breaks its own protocol"
    return Rejected, "Redis refused the command"
