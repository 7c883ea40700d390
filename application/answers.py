"""The answers to calls with an idempotency key, kept for a while so that a replay gets the same.

They are JSON in the cache, under a name that holds the account. What is not there any more is
said plainly: the call is never made, nor charged, again.
"""

import hashlib
import json
from datetime import timedelta
from typing import Any

import attrs
from attrs import frozen

from tollkeeper.application.metered_call import MeteredCall
from tollkeeper.application.policy import Policy
from tollkeeper.domain.completions import Completion, FinishReason, Receipt, TokenUsage
from tollkeeper.domain.errors import Conflict, InvalidRequest, PortError
from tollkeeper.domain.messages import ToolCall
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.transcripts import Transcript
from tollkeeper.ports.cache import Cache


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    raise TypeError(type(value).__name__)


def _encode(answer: Completion | Transcript) -> bytes:
    return json.dumps(attrs.asdict(answer), default=_plain).encode()


def _receipt(data: dict[str, Any]) -> Receipt:
    money = {name: Money(**data[name]) for name in ("held", "charged", "balance_after")}
    quantities = {Meter(meter): quantity for meter, quantity in data["quantities"].items()}
    provenance = Provenance(data["provenance"])
    return Receipt(**{**data, **money, "quantities": quantities, "provenance": provenance})


def _completion(data: dict[str, Any]) -> Completion:
    return Completion(
        **{
            **data,
            "tool_calls": tuple(ToolCall(**call) for call in data["tool_calls"]),
            "finish_reason": FinishReason(data["finish_reason"]) if data["finish_reason"] else None,
            "usage": TokenUsage(**data["usage"]) if data["usage"] is not None else None,
            "receipt": _receipt(data["receipt"]),
        }
    )


def _transcript(data: dict[str, Any]) -> Transcript:
    times = {name: timedelta(microseconds=data[name]) for name in ("duration", "billed")}
    return Transcript(**{**data, **times, "receipt": _receipt(data["receipt"])})


@frozen
class Answers:
    """Keeps and recalls answers by the call that was charged for them."""

    cache: Cache
    policy: Policy

    def _name(self, call: MeteredCall) -> str:
        owner = hashlib.sha256(call.hold.account.encode()).hexdigest()
        return f"answer:{owner}:{call.hold.id}"

    async def keep(self, call: MeteredCall, answer: Completion | Transcript) -> None:
        """Keep *answer*; a cache that fails or finds it too large is no reason to fail the call."""
        try:
            await self.cache.set(self._name(call), _encode(answer), ttl=self.policy.answer_ttl)
        except (PortError, InvalidRequest):
            return  # a replay will say that the answer is gone; the charge stands either way

    async def _recall(self, call: MeteredCall) -> dict[str, Any]:
        kept = await self.cache.get(self._name(call))
        if kept is None:
            raise Conflict(
                "this call was made and charged already, and its answer is no longer kept",
                code="already_charged",
            )
        data: dict[str, Any] = json.loads(kept)
        return data

    async def completion(self, call: MeteredCall) -> Completion:
        """Return the first answer again.

        Raises:
            Conflict: it is no longer kept (code ``already_charged``).
        """
        return _completion(await self._recall(call))

    async def transcript(self, call: MeteredCall) -> Transcript:
        """Return the first transcript again.

        Raises:
            Conflict: it is no longer kept (code ``already_charged``).
        """
        return _transcript(await self._recall(call))
