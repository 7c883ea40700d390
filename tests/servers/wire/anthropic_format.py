"""Anthropic's Messages API.

Sources: https://docs.claude.com/en/api/messages,
https://docs.claude.com/en/docs/build-with-claude/streaming.
"""

import json
from collections.abc import Iterator, Sequence

import attrs
from attrs import frozen

from tests.servers.http_player import SeenRequest
from tests.servers.wire import sse
from tests.servers.wire.answer import Answer, Call, Finish, Json, Pools
from tests.servers.wire.anthropic_request import asked_of, complaint_of
from tests.servers.wire.echo import Asked
from tests.servers.wire.errors.anthropic import ANTHROPIC, REQUEST_ID, anthropic_body
from tests.servers.wire.format import SECRET_WORDS, ErrorAnswer, Kind, Task

_STOPS: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "paused": "pause_turn",
}
_DETAILS: Json = {
    "type": "refusal",
    "category": "cyber",
    "explanation": "This request could enable cyber harm.",
}


@frozen
class AnthropicFormat:
    """``POST /v1/messages``."""

    name: str = "anthropic"
    root: str = ""
    has_terminal_event: bool = True
    statuses: tuple[int, ...] = tuple(ANTHROPIC.by_status)
    kinds: tuple[Kind, ...] = tuple(ANTHROPIC.by_kind)

    def task(self, method: str, route: str) -> Task | None:
        """Say what is asked for."""
        known: dict[tuple[str, str], Task] = {
            ("POST", "/v1/messages"): "chat",
            ("GET", "/v1/models"): "models",
        }
        return known.get((method, route))

    def serves(self, method: str, path: str) -> bool:
        """Whether anything is there."""
        return self.task(method, path.partition("?")[0]) is not None

    def key_of(self, seen: SeenRequest) -> str:
        """Return the key from its header, or the bearer token, which is taken too."""
        bearer = seen.headers.get("authorization", "").removeprefix("Bearer ")
        return seen.headers.get("x-api-key") or bearer

    def model_of(self, seen: SeenRequest) -> str:
        """Return the model's name."""
        return str(seen.json["model"])

    def is_streamed(self, seen: SeenRequest) -> bool:
        """Whether the answer is wanted in pieces."""
        return bool(seen.json.get("stream"))

    def asked(self, seen: SeenRequest) -> Asked:
        """Read what is asked for."""
        return asked_of(seen.json)

    def complaint(self, seen: SeenRequest) -> str:
        """Say which rule is broken."""
        return complaint_of(seen.json, seen.headers)

    def heard(self, answer: Answer) -> Answer:
        """Leave out what the format cannot say; what it refuses with is its text."""
        refused = answer.finish in ("refusal", "content_filter")
        return attrs.evolve(
            answer,
            text=answer.text + ((answer.refusal,) if answer.refusal else ()),
            refusal="",
            calls=tuple(attrs.evolve(call, signature="") for call in answer.calls),
            finish="refusal" if refused else answer.finish,
            logprobs=None,
        )

    def error(
        self, status: int | None = None, kind: Kind | None = None, text: str = SECRET_WORDS
    ) -> ErrorAnswer:
        """Write a documented error."""
        found = ANTHROPIC.error(status, kind, text)
        return attrs.evolve(found, headers={"request-id": REQUEST_ID})

    def error_event(self, kind: Kind = "overloaded", text: str = SECRET_WORDS) -> bytes:
        """Write a failure inside a stream."""
        words = ANTHROPIC.words(None, kind)
        return sse.named("error", anthropic_body(words.type, f"{words.message} {text}".strip()))

    def embeddings(self, seen: SeenRequest) -> bytes:
        """Anthropic has none."""
        raise NotImplementedError

    def models(self, names: Sequence[str]) -> bytes:
        """List the models."""
        listed = [
            {
                "type": "model",
                "id": name,
                "display_name": name.title(),
                "created_at": "2001-01-01T00:00:00Z",
            }
            for name in names
        ]
        more = {"has_more": False, "first_id": names[0], "last_id": names[-1]}
        return sse.body_of({"data": listed, **more})

    def whole(self, answer: Answer, body: Json) -> bytes:
        """Write *answer* in one body."""
        heard = self.heard(answer)
        message = _message(heard.model) | {"content": list(_blocks(heard)), **_end(heard)}
        if heard.usage is not None:
            message["usage"] = _usage(heard.usage)
        return sse.body_of(message)

    def events(self, answer: Answer, body: Json) -> list[bytes]:
        """Write *answer* as events."""
        heard = self.heard(answer)
        start = _message(heard.model)
        delta: Json = {"type": "message_delta", "delta": _end(heard)}
        if heard.usage is not None:
            start["usage"] = _usage(attrs.evolve(heard.usage, output=1, reasoning=0))
            delta["usage"] = _usage(heard.usage)
        found: list[Json] = [{"type": "message_start", "message": start}]
        for index, pieces in enumerate(_streamed_blocks(heard)):
            found += [{**piece, "index": index} for piece in pieces]
            if index == 0:
                found.insert(2, {"type": "ping"})
        found += [delta, {"type": "message_stop"}]
        return [sse.named(one["type"], one) for one in found]


def _message(model: str) -> Json:
    return {
        "id": "msg_01echo",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _end(heard: Answer) -> Json:
    reason = _STOPS[heard.finish]
    if heard.window_full:
        reason = "model_context_window_exceeded"
    if heard.stopped_at:
        reason = "stop_sequence"
    found: Json = {"stop_reason": reason, "stop_sequence": heard.stopped_at or None}
    return found | ({"stop_details": _DETAILS} if reason == "refusal" else {})


def _usage(pools: Pools) -> Json:
    written = {"ephemeral_5m_input_tokens": pools.cache_write, "ephemeral_1h_input_tokens": 0}
    usage: Json = {
        "input_tokens": pools.input,
        "cache_creation_input_tokens": pools.cache_write,
        "cache_read_input_tokens": pools.cached_input,
        "cache_creation": written,
        "output_tokens": pools.output + pools.reasoning,
        "service_tier": "standard",
    }
    if pools.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": pools.reasoning}
    return usage


def _blocks(heard: Answer) -> Iterator[Json]:
    if heard.reasoning or heard.signature:
        thought = heard.whole_reasoning
        yield {"type": "thinking", "thinking": thought, "signature": heard.signature}
    if heard.redacted:
        yield {"type": "redacted_thinking", "data": heard.redacted}
    if heard.text:
        yield {"type": "text", "text": heard.whole_text}
    for call in heard.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call)}


def _input(call: Call) -> Json:
    value: Json = json.loads(call.whole or "{}")
    return value


def _streamed_blocks(heard: Answer) -> Iterator[list[Json]]:
    if heard.reasoning or heard.signature:
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in heard.reasoning]
        deltas.append({"type": "signature_delta", "signature": heard.signature})
        yield _block({"type": "thinking", "thinking": "", "signature": ""}, deltas)
    if heard.redacted:
        yield _block({"type": "redacted_thinking", "data": heard.redacted}, [])
    if heard.text:
        deltas = [{"type": "text_delta", "text": piece} for piece in heard.text]
        yield _block({"type": "text", "text": ""}, deltas)
    for call in heard.calls:
        begin = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        pieces = ["", *call.arguments]
        yield _block(begin, [{"type": "input_json_delta", "partial_json": p} for p in pieces])


def _block(begin: Json, deltas: list[Json]) -> list[Json]:
    return [
        {"type": "content_block_start", "content_block": begin},
        *({"type": "content_block_delta", "delta": delta} for delta in deltas),
        {"type": "content_block_stop"},
    ]
