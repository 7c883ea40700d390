"""Lanes: what is asked of one node while others are under way goes out together."""

import asyncio
import copy
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from attrs import define, field
from redis.exceptions import NoScriptError

from tollkeeper.adapters.redis.clients import Client
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.failures import KNOWN, is_passing, never_done, translate
from tollkeeper.adapters.redis.scripts import GCRA
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.rate_limits import RateDecision

PORT = "rate_limiter"
_MICROSECOND = timedelta(microseconds=1)
_MOST_AT_ONCE = 128


@define(eq=False)
class Check:
    """One caller's question, and where the answer goes."""

    keys: list[str]
    arguments: list[str | int]
    answer: "asyncio.Future[RateDecision]"
    sent: bool = False
    """Whether it may have been counted, though nobody knows the answer yet."""


@define(eq=False)
class Lane:
    """The way to one node: one batch at a time, each caller with an answer or error of its own."""

    connections: RedisConnections
    _waiting: list[Check] = field(factory=list)
    _sender: "asyncio.Task[None] | None" = None

    def ask(self, check: Check) -> None:
        """Send *check*, now or with the next batch."""
        self._waiting.append(check)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())

    async def finish(self) -> None:
        """Wait until nothing is under way: each batch is bounded in time."""
        if self._sender is not None:
            await asyncio.gather(self._sender, return_exceptions=True)

    async def _send_all(self) -> None:
        """Send what waits, a batch at a time, until nothing does."""
        batch: list[Check] = []
        try:
            while self._waiting:
                # Whoever left before the question went out has not asked it.
                waiting = [check for check in self._waiting if not check.answer.done()]
                batch, self._waiting = waiting[:_MOST_AT_ONCE], waiting[_MOST_AT_ONCE:]
                if batch:
                    await self._send(batch)
        finally:
            self._sender = None
            for check in [*batch, *self._waiting]:
                check.answer.cancel()
            self._waiting = []

    async def _send(self, batch: list[Check]) -> None:
        for check in batch:
            check.sent = True
        try:
            replies = await self.connections.run(
                lambda client: _ask(client, batch), idempotent=False, key=batch[0].keys[0]
            )
        except TollkeeperError as error:
            replies = [error] * len(batch)
        for check, reply in zip(batch, replies, strict=True):
            if check.answer.done():
                continue
            if isinstance(reply, Exception):
                check.answer.set_exception(_own(reply))
            else:
                allowed, left, wait, reset = reply
                check.answer.set_result(
                    RateDecision(bool(allowed), left, wait * _MICROSECOND, reset * _MICROSECOND)
                )


async def _ask(client: Client, batch: Sequence[Check]) -> list[Any]:
    """Send all of *batch* in one round trip; two where the server does not know the script."""
    replies = await _round(client, "EVALSHA", GCRA.sha, batch)
    unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        again = await _round(client, "EVAL", GCRA.text, [batch[i] for i in unknown])
        for i, reply in zip(unknown, again, strict=True):
            replies[i] = reply
    return replies


async def _round(client: Client, verb: str, script: str, batch: Sequence[Check]) -> list[Any]:
    if len(batch) == 1:
        [check] = batch
        words = (verb, script, len(check.keys), *check.keys, *check.arguments)
        try:
            return [await client.execute_command(*words)]
        except NoScriptError as error:
            return [error]
    pipeline = client.pipeline(transaction=False)
    for check in batch:
        pipeline.execute_command(verb, script, len(check.keys), *check.keys, *check.arguments)
    replies: list[Any] = await pipeline.execute(raise_on_error=False)
    if all(isinstance(e, Exception) and is_passing(e) and never_done(e) for e in replies):
        raise replies[0]  # such as of a master that stepped down: all may be asked again
    return replies


def _own(error: Exception) -> Exception:
    """Make one caller's own error: a raised one bears the frames of whoever raised it."""
    if isinstance(error, KNOWN):
        return translate(error, port=PORT, changes=True)
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    return own
