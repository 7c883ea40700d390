"""What a provider says beside the answer, by its own names. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollkeeper.domain.completions import TokenLogprob


class _Top(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_Top] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


_decoder = msgspec.json.Decoder(_Logprobs)


def decode_logprobs(raw: msgspec.Raw) -> tuple[TokenLogprob, ...]:
    """Read ``logprobs`` of a choice; what is of another form (older servers) is left alone.

    They come beside the answer: one that cannot be read must not cost the answer itself.
    """
    try:
        found = _decoder.decode(raw).content or ()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ()
    return tuple(
        TokenLogprob(
            one.token,
            one.logprob,
            tuple((top.token, top.logprob) for top in one.top_logprobs or ()),
        )
        for one in found
    )


def beside_groq(x_groq: object) -> tuple[Mapping[str, Any], object, object]:
    """Return what ``x_groq`` holds: extras, a usage report or None, and an error or None."""
    if not isinstance(x_groq, dict):
        return {}, None, None
    extras = {"x_groq.id": x_groq["id"]} if x_groq.get("id") else {}
    return extras, x_groq.get("usage"), x_groq.get("error")
