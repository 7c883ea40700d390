"""Answers as bytes, to be kept in a cache."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import attrs

from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.completions import (
    Completion,
    FinishReason,
    Receipt,
    TokenLogprob,
    TokenUsage,
)
from tollkeeper.domain.embeddings import Embeddings
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import ReasoningPart, ToolCall
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.transcripts import Transcript

_MICROSECOND = timedelta(microseconds=1)
T = TypeVar("T")
Answer = Completion | Transcript | Embeddings


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def encode_answer(answer: Answer) -> bytes:
    """Write *answer* as JSON.

    Raises:
        TypeError: its extras hold something that is no JSON.
    """
    return json.dumps(attrs.asdict(answer), default=_plain).encode()


def _quantities(data: dict[str, int]) -> dict[Meter, int]:
    return {Meter(meter): quantity for meter, quantity in data.items()}


def _attempt(data: dict[str, Any]) -> Attempt:
    return Attempt(
        **{
            **data,
            "started_at": datetime.fromisoformat(data["started_at"]),
            "lasted": data["lasted"] * _MICROSECOND,
            "outcome": Outcome(data["outcome"]),
            "billed": Billed(data["billed"]),
            "settlement": Settlement(data["settlement"]),
            "provenance": Provenance(data["provenance"]),
            "quantities": _quantities(data["quantities"]),
            "cost": Money(**data["cost"]),
        }
    )


def _attempts(data: list[dict[str, Any]]) -> tuple[Attempt, ...]:
    return tuple(map(_attempt, data))


def _receipt(data: dict[str, Any] | None) -> Receipt | None:
    if data is None:
        return None
    money = {name: Money(**data[name]) for name in ("held", "charged", "balance_after")}
    quantities = _quantities(data["quantities"])
    provenance = Provenance(data["provenance"])
    return Receipt(**{**data, **money, "quantities": quantities, "provenance": provenance})


def _provenance(text: str | None) -> Provenance | None:
    return Provenance(text) if text else None


def _logprob(data: dict[str, Any]) -> TokenLogprob:
    top = tuple((token, logprob) for token, logprob in data["top"])
    return TokenLogprob(data["token"], data["logprob"], top)


def readable(decode: Callable[[bytes], T], kept: bytes) -> T | None:
    """Return what *decode* reads in *kept*; None where another version wrote it, or a fault."""
    try:
        return decode(kept)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidRequest):
        return None


def decode_completion(kept: bytes) -> Completion:
    """Read what :func:`encode_answer` wrote of a completion."""
    data: dict[str, Any] = json.loads(kept)
    first = data["first_after"]
    return Completion(
        **{
            **data,
            "tool_calls": tuple(ToolCall(**call) for call in data["tool_calls"]),
            "finish_reason": FinishReason(data["finish_reason"]) if data["finish_reason"] else None,
            "usage": TokenUsage(**data["usage"]) if data["usage"] is not None else None,
            "receipt": _receipt(data["receipt"]),
            "thoughts": tuple(ReasoningPart(**part) for part in data["thoughts"]),
            "logprobs": tuple(map(_logprob, data["logprobs"])),
            "warnings": tuple(data["warnings"]),
            "provenance": _provenance(data["provenance"]),
            "attempts": _attempts(data["attempts"]),
            "first_after": None if first is None else first * _MICROSECOND,
        }
    )


def decode_transcript(kept: bytes) -> Transcript:
    """Read what :func:`encode_answer` wrote of a transcript."""
    data: dict[str, Any] = json.loads(kept)
    times = {name: data[name] * _MICROSECOND for name in ("duration", "billed")}
    return Transcript(**{**data, **times, "receipt": _receipt(data["receipt"])})


def decode_embeddings(kept: bytes) -> Embeddings:
    """Read what :func:`encode_answer` wrote of embeddings."""
    data: dict[str, Any] = json.loads(kept)
    vectors = tuple(tuple(vector) for vector in data["vectors"])
    provenance = _provenance(data["provenance"])
    rest = {"receipt": _receipt(data["receipt"]), "attempts": _attempts(data["attempts"])}
    return Embeddings(**{**data, **rest, "vectors": vectors, "provenance": provenance})
