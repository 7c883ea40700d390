"""What one API key may use: calls in a time, calls in a period, and from which addresses."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from attrs import frozen

from tollkeeper.domain.checks import checked_time
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.rate_limits import RateLimit

Network = IPv4Network | IPv6Network
MOST_LIMITS = 8
MOST_NETWORKS = 64
_MOST_CALLS = 10**18
_QUOTA = re.compile(r"([1-9][0-9]{0,17})/(day|month)")


class OnOutage(StrEnum):
    """What becomes of a limit while the rate limiter cannot be reached."""

    CLOSED = "closed"
    """No call passes: for limits that guard money."""
    LOCAL = "local"
    """Each process counts for itself, its share of the limit."""
    OPEN = "open"
    """Every call passes."""


@frozen
class KeyLimit:
    """A rate limit of a key, and what becomes of it *on_outage* of the rate limiter.

    Raises:
        InvalidRequest: *limit* is no RateLimit, or *on_outage* no policy.
    """

    limit: RateLimit
    on_outage: OnOutage = OnOutage.CLOSED

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.limit, RateLimit):
            raise InvalidRequest("a key's limit is a RateLimit", code="invalid_limit")
        object.__setattr__(self, "on_outage", checked_on_outage(self.on_outage))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"60/minute"``, or with its policy ``"60/minute:local"``.

        Raises:
            InvalidRequest: *text* reads otherwise.
        """
        if not isinstance(text, str):
            raise InvalidRequest("a key's limit reads 60/minute", code="invalid_limit")
        limit, _, policy = text.partition(":")
        return cls(RateLimit.parse(limit), checked_on_outage(policy or OnOutage.CLOSED))

    def __str__(self) -> str:
        return f"{self.limit}:{self.on_outage}"


class QuotaPeriod(StrEnum):
    """From when to when a quota counts: a day or a month of the calendar, in UTC."""

    DAY = "day"
    MONTH = "month"


@frozen
class Quota:
    """At most *calls* in each *period* of the calendar (UTC).

    Raises:
        InvalidRequest: *calls* is no positive whole number, or *period* no period.
    """

    calls: int
    period: QuotaPeriod = QuotaPeriod.MONTH

    def __attrs_post_init__(self) -> None:
        if type(self.calls) is not int or not 1 <= self.calls < _MOST_CALLS:
            raise InvalidRequest("a quota allows 1 call or more", code="invalid_quota")
        if self.period not in [*QuotaPeriod]:
            raise InvalidRequest("a quota's period is day or month", code="invalid_quota")
        object.__setattr__(self, "period", QuotaPeriod(self.period))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"10000/month"`` (or day).

        Raises:
            InvalidRequest: *text* reads otherwise.
        """
        match = _QUOTA.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidRequest("a quota reads 10000/month, or /day", code="invalid_quota")
        return cls(int(match[1]), QuotaPeriod(match[2]))

    def starts(self, at: datetime) -> datetime:
        """When the period began in which *at* lies."""
        first = checked_time(at).replace(hour=0, minute=0, second=0, microsecond=0)
        return first if self.period is QuotaPeriod.DAY else first.replace(day=1)

    def ends(self, at: datetime) -> datetime:
        """When the period ends in which *at* lies, and the next begins.

        Raises:
            InvalidRequest: that is no time any more, at the end of the year 9999.
        """
        start = self.starts(at)
        try:
            if self.period is QuotaPeriod.DAY:
                return start + timedelta(days=1)
            return (start + timedelta(days=32)).replace(day=1)
        except OverflowError:
            raise InvalidRequest("the period of at ends after the year 9999") from None

    def __str__(self) -> str:
        return f"{self.calls}/{self.period}"


@frozen
class QuotaUse:
    """What a key used of its quota: *used* calls in the period that began at *since*."""

    since: datetime
    used: int = 0


def checked_calls(calls: int) -> int:
    """Return *calls*, how many are counted at once: a whole number, 1 or more, below 10^18.

    Raises:
        InvalidRequest: it is anything else.
    """
    if type(calls) is not int or not 1 <= calls < _MOST_CALLS:
        raise InvalidRequest(
            "calls is a whole number, 1 or more, of 18 digits at most", code="invalid_calls"
        )
    return calls


def checked_on_outage(policy: object) -> OnOutage:
    """Return *policy*: closed, local or open.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(policy, str) or policy not in [*OnOutage]:
        raise InvalidRequest(
            "what a limit does on an outage is closed, local or open", code="invalid_limit"
        )
    return OnOutage(policy)


def checked_limits(limits: Iterable[KeyLimit]) -> tuple[KeyLimit, ...]:
    """Return *limits*: at most 8, each of another period.

    Raises:
        InvalidRequest: they are anything else.
    """
    found = tuple(limits) if isinstance(limits, list | tuple) else None
    if found is None or not all(isinstance(each, KeyLimit) for each in found):
        raise InvalidRequest("a key's limits are a list of KeyLimits", code="invalid_limit")
    if len(found) > MOST_LIMITS or len({each.limit.period for each in found}) < len(found):
        raise InvalidRequest(
            f"a key has at most {MOST_LIMITS} limits, each of another period", code="invalid_limit"
        )
    return tuple(sorted(found, key=lambda each: each.limit.period))


def checked_networks(networks: Iterable[str | Network]) -> tuple[Network, ...]:
    """Return *networks*, such as ``203.0.113.0/24`` or ``2001:db8::/32``; at most 64.

    Raises:
        InvalidRequest: one is no network, has bits set beyond its prefix, or names the zone of
            one machine (``fe80::%eth0/64``), which means nothing on another.
    """
    if not isinstance(networks, list | tuple | set | frozenset) or len(networks) > MOST_NETWORKS:
        raise InvalidRequest(
            f"a key's networks are a list of at most {MOST_NETWORKS}", code="invalid_network"
        )
    found = set()
    for each in networks:
        if not isinstance(each, str | IPv4Network | IPv6Network):
            raise InvalidRequest("a network is text such as 203.0.113.0/24", code="invalid_network")
        try:
            network = ip_network(str(each))
        except ValueError:
            raise InvalidRequest(
                f"{str(each)[:64]!a} is no network; write it as 203.0.113.0/24",
                code="invalid_network",
            ) from None
        if isinstance(network, IPv6Network) and network.network_address.scope_id is not None:
            raise InvalidRequest(
                f"{str(each)[:64]!a} names a zone of one machine; leave out what stands behind %",
                code="invalid_network",
            )
        found.add(network)
    return tuple(sorted(found, key=lambda each: (each.version, each)))


def is_within(address: str | None, networks: tuple[Network, ...]) -> bool:
    """Whether *address* lies in one of *networks*; without networks, any does.

    An address that is unknown or malformed lies in none. IPv4 written as IPv6 counts as IPv4.
    """
    if not networks:
        return True
    if not isinstance(address, str):
        return False
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in each for each in networks)
