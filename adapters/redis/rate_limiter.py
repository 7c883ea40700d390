"""A rate limiter in Redis, for all processes as one."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Self

from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.failures import ADAPTER
from tollkeeper.adapters.redis.rate_lanes import PORT, Check, Lane
from tollkeeper.domain.errors import InvalidRequest, Timeout, Unsupported
from tollkeeper.domain.rate_limits import RateDecision, RateRequest, decide
from tollkeeper.ports.clock import Clock

_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 1 << 51
_TAG = re.compile(r"\{([^}]+)\}")


class RedisRateLimiter:
    """Counts by the clock of the Redis server. Use it inside ``async with``.

    Questions that come while others are under way go out together, in one round trip; each has
    its own answer or error. On a cluster all buckets of one question must lie in one slot: those
    named with the same tag, such as ``{acme}/chat`` and ``{acme}/mail``, do, and all without a tag
    do too. Name the account as a tag to spread accounts over the nodes.
    """

    def __init__(
        self, connections: RedisConnections, *, now: Callable[[], int] | None = None
    ) -> None:
        """Count over *connections*; *now*, in microseconds, takes the place of Redis's clock."""
        self._connections = connections
        self._now = now
        self._lanes: dict[str, Lane] = {}

    @classmethod
    def from_url(cls, url: str, *, clock: Clock | None = None) -> Self:
        """Make a limiter with connections of its own; the *clock* is not asked: Redis has one.

        Raises:
            ConfigurationError: *url* is malformed; see :class:`RedisConnections`.
        """
        return cls(RedisConnections.from_url(url, port=PORT))

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        self._lanes = {}
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for lane in list(self._lanes.values()):
            await lane.finish()
        await self._connections.__aexit__(*exc_info)

    async def health(self) -> str:
        """Say how Redis does."""
        return await self._connections.health()

    async def take(self, asked: Sequence[RateRequest]) -> RateDecision:
        """Count all of *asked*, or nothing; sent once, and never again where a reply is lost.

        Raises:
            InvalidRequest: a cost does not fit its limit, a bucket is named twice, or, on a
                cluster, the buckets bear different tags (code ``cross_slot``).
            Unsupported: a limit's period is longer than 70 years.
            PortError: it could not be decided.
        """
        buckets = [request.bucket for request in asked]
        if len(set(buckets)) != len(buckets):
            raise InvalidRequest("a bucket is named twice", code="duplicate_bucket")
        fresh, _ = decide(asked, [0] * len(asked), now=0)
        if not asked:
            return fresh
        keys = self._keys(buckets)
        node = self._connections.node_of(keys[0])
        check = Check(
            keys,
            ["" if self._now is None else self._now(), *_arguments(asked)],
            asyncio.get_running_loop().create_future(),
        )
        lane = self._lanes.get(node)
        if lane is None:
            lane = self._lanes[node] = Lane(self._connections)
        lane.ask(check)
        try:
            with self._connections.deadline():
                return await check.answer
        except TimeoutError:
            raise Timeout(
                "Redis did not decide in time",
                port=PORT,
                adapter=ADAPTER,
                ambiguous=check.sent,
            ) from None

    def _keys(self, buckets: Sequence[str]) -> list[str]:
        found = [_TAG.search(bucket) for bucket in buckets]
        tags = [match[1] if match else "untagged" for match in found]
        if self._connections.is_cluster and len(set(tags)) > 1:
            raise InvalidRequest(
                "on a cluster the buckets of one question must bear the same {tag}",
                code="cross_slot",
            )
        return [
            self._connections.key("rate", bucket, tag=tag)
            for bucket, tag in zip(buckets, tags, strict=True)
        ]


def _arguments(asked: Sequence[RateRequest]) -> list[str | int]:
    arguments: list[str | int] = []
    for request in asked:
        step = -(-(request.limit.period // _MICROSECOND) // request.limit.requests)
        tolerance = step * request.limit.requests
        if tolerance > _LARGEST:
            raise Unsupported("in Redis a rate limit's period is 70 years at most")
        arguments += [step, tolerance, request.cost]
    return arguments
