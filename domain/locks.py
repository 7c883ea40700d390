"""What a lock is asked for, and what it lends."""

from datetime import timedelta

from attrs import field, frozen

from tollkeeper.domain.checks import checked_duration, checked_text
from tollkeeper.domain.errors import Conflict, InvalidRequest

_SHORTEST_TTL = timedelta(milliseconds=1)
_LONGEST_TTL = timedelta(days=1)
_LONGEST_NAME = 255


@frozen
class Lease:
    """A lock, lent to one owner until its *ttl* is over.

    Args:
        name: the lock's.
        owner: who holds it; whoever knows it may renew and release.
        fencing: a number above that of every earlier lease of this lock. What the lock protects
            can refuse whoever comes with a lower one than it has seen: a late owner does no harm.
        ttl: how long it was lent for, counted from some moment after it was asked for.
    """

    name: str
    owner: str = field(repr=False)
    fencing: int
    ttl: timedelta


class LockTaken(Conflict):
    """Somebody else holds the lock, and held it for as long as the caller would wait."""

    default_code = "lock_taken"


class LeaseLost(Conflict):
    """The lease ended before the work did: someone else may hold the lock by now."""

    default_code = "lease_lost"


def checked_lock_name(name: str) -> str:
    """Return *name*: 1-255 printable characters.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not name:
        raise InvalidRequest("the name of a lock must not be empty", code="invalid_lock_name")
    return checked_text(name, field="the name of a lock", longest=_LONGEST_NAME)


def checked_lock_owner(owner: str) -> str:
    """Return *owner*: 1-255 printable characters.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not owner:
        raise InvalidRequest("the owner of a lock must not be empty", code="invalid_lock_owner")
    return checked_text(owner, field="the owner of a lock", longest=_LONGEST_NAME)


def checked_lock_ttl(ttl: timedelta) -> timedelta:
    """Return *ttl*: a millisecond to a day.

    Raises:
        InvalidRequest: it is anything else.
    """
    checked_duration(ttl, field="ttl", shortest=_SHORTEST_TTL)
    if ttl > _LONGEST_TTL:
        raise InvalidRequest("a lock is lent for a day at most; renew it")
    return ttl
