"""How often anyone may try a key, before a store is asked whether there is such a key."""

import hmac
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

from tollkeeper.application.local_buckets import LocalBuckets
from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, RateLimited
from tollkeeper.domain.rate_limits import RateLimit, RateRequest
from tollkeeper.ports.clock import Clock

_MOST_BUCKETS = 20_000
_WIDER = 10
_SHORTEST_KEY = 16
_NAME = 32  # hexadecimal digits: 16 bytes
_SECOND = timedelta(seconds=1)
_UNKNOWN = "unknown"


class AttemptLimits:
    """Counts the attempts of callers whom nobody knows yet, in this process and without I/O.

    Each client has *per_client*: a network (of IPv4 a /24, of IPv6 a /64) that tries one kid. A
    network that tries many has ten times as much, and all together have *overall*. An address
    that is unknown or malformed is one client for each kid, and no network: who stands behind it
    cannot be told apart. At most *most_buckets* are kept; each attempt adds two at most, so that
    pushing one out takes half as many attempts. Buckets are named by a MAC under *name_key*, so
    that no dump tells who tried what.

    An attempt that turned out good is given back, so that only bad ones use up the limit.

    Raises:
        ConfigurationError: a limit is no RateLimit, *most_buckets* is below 3, or *name_key* is
            shorter than 16 bytes.
    """

    def __init__(
        self,
        clock: Clock,
        per_client: RateLimit,
        overall: RateLimit,
        *,
        name_key: bytes,
        most_buckets: int = _MOST_BUCKETS,
    ) -> None:
        weak = not isinstance(name_key, bytes) or len(name_key) < _SHORTEST_KEY
        mac = None if weak else hmac.new(name_key, digestmod="sha256")
        # Nothing of the key is in a traceback that shows the locals.
        del name_key
        if mac is None:
            raise ConfigurationError("the key that names attempts' buckets is 16 bytes or more")
        if not isinstance(per_client, RateLimit) or not isinstance(overall, RateLimit):
            raise ConfigurationError("the limits of attempts are RateLimits, such as 10/minute")
        if type(most_buckets) is not int or most_buckets < 3:
            raise ConfigurationError("attempts need 3 buckets or more")
        self._mac = mac
        self._per_client = per_client
        self._per_network = RateLimit(_WIDER * per_client.requests, per_client.period)
        self._overall = RateRequest("overall", overall)
        self._buckets = LocalBuckets(clock, most=most_buckets)

    @property
    def buckets(self) -> int:
        """How many buckets are remembered."""
        return len(self._buckets)

    def take(self, address: str | None, kid: str) -> None:
        """Count an attempt of *address* to use the key that *kid* names.

        Raises:
            RateLimited: too many failed of late (code ``too_many_attempts``); nothing is counted,
                and the text is the same whether or not there is such a key.
            InvalidRequest: *kid* is no text.
        """
        decision = self._buckets.take(self._asked(address, kid))
        if not decision.allowed:
            seconds = max(1, -(-decision.retry_after // _SECOND))
            raise RateLimited(
                f"too many attempts; try again in {seconds} s",
                retry_after=decision.retry_after,
                code="too_many_attempts",
            )

    def give_back(self, address: str | None, kid: str) -> None:
        """Forget one attempt that :meth:`take` counted: it turned out good.

        What the clock has given back meanwhile cannot be told apart: of two attempts far apart,
        the later one is forgotten then.

        Raises:
            InvalidRequest: *kid* is no text.
        """
        self._buckets.give_back(self._asked(address, kid))

    def _asked(self, address: str | None, kid: str) -> list[RateRequest]:
        if not isinstance(kid, str):
            raise InvalidRequest("a kid is text")
        network = _network(address)
        # No network has a line break in it, so that no two pairs are written alike, nor a pair
        # like a network alone.
        asked = [RateRequest(self._name(f"{network}\n{kid}"), self._per_client)]
        if network != _UNKNOWN:
            asked.append(RateRequest(self._name(network), self._per_network))
        return [*asked, self._overall]

    def _name(self, text: str) -> str:
        mac = self._mac.copy()
        mac.update(text.encode(errors="surrogatepass"))
        return mac.hexdigest()[:_NAME]


def _network(address: str | None) -> str:
    """Name the network of *address*; IPv4 written as IPv6 counts as IPv4."""
    if not isinstance(address, str):
        return _UNKNOWN
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return _UNKNOWN
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return f"4:{int(found) >> 8}" if isinstance(found, IPv4Address) else f"6:{int(found) >> 64}"
