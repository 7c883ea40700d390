"""Gemini's own API: ``:generateContent`` and ``:streamGenerateContent?alt=sse``.

Sources: https://ai.google.dev/api/generate-content, https://ai.google.dev/api/embeddings.
"""

import json
import re
from collections.abc import Iterator, Sequence

import attrs
from attrs import frozen

from tests.servers.http_player import SeenRequest
from tests.servers.wire import sse
from tests.servers.wire.answer import Answer, Finish, Json, Pools
from tests.servers.wire.echo import Asked
from tests.servers.wire.embeddings import gemini_embeddings
from tests.servers.wire.errors.google import GEMINI, google_body
from tests.servers.wire.format import SECRET_WORDS, ErrorAnswer, Kind, Task
from tests.servers.wire.gemini_request import asked_of, complaint_of

_ROUTE = re.compile(r"/v1(?:beta|alpha)?/models/(?P<model>.+):(?P<verb>\w+)$")
_TASKS: dict[str, Task] = {
    "generateContent": "chat",
    "streamGenerateContent": "chat",
    "embedContent": "embed",
    "batchEmbedContents": "embed",
}
_REASONS: dict[Finish, str] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "paused": "STOP",
}


@frozen
class GeminiFormat:
    """``POST /v1beta/models/…:generateContent`` and its streamed twin."""

    name: str = "gemini-native"
    root: str = "/v1beta"
    has_terminal_event: bool = False
    statuses: tuple[int, ...] = tuple(GEMINI.by_status)
    kinds: tuple[Kind, ...] = (*GEMINI.by_kind, "content_filter")

    def task(self, method: str, route: str) -> Task | None:
        """Say what is asked for."""
        if (method, route) == ("GET", "/v1beta/models"):
            return "models"
        found = _ROUTE.match(route)
        return _TASKS.get(found["verb"]) if found and method == "POST" else None

    def serves(self, method: str, path: str) -> bool:
        """Whether anything is there."""
        return self.task(method, path.partition("?")[0]) is not None

    def key_of(self, seen: SeenRequest) -> str:
        """Return the key from its header, or from the query."""
        return seen.headers.get("x-goog-api-key") or seen.query.get("key", "")

    def model_of(self, seen: SeenRequest) -> str:
        """Return the model's name, which is in the path."""
        found = _ROUTE.match(seen.route)
        assert found is not None
        return found["model"]

    def is_streamed(self, seen: SeenRequest) -> bool:
        """Whether the answer is wanted in pieces."""
        return seen.route.endswith(":streamGenerateContent")

    def asked(self, seen: SeenRequest) -> Asked:
        """Read what is asked for."""
        return asked_of(seen.json, self.model_of(seen))

    def complaint(self, seen: SeenRequest) -> str:
        """Say which rule is broken."""
        if self.task(seen.method, seen.route) != "chat":
            return ""
        if self.is_streamed(seen) and seen.query.get("alt") != "sse":
            return "this server streams with alt=sse alone"
        return complaint_of(seen.json, self.model_of(seen))

    def heard(self, answer: Answer) -> Answer:
        """Leave out what the format cannot say."""
        pools = answer.usage
        if pools is not None:
            pools = attrs.evolve(pools, input=pools.input + pools.cache_write, cache_write=0)
        finish: Finish = answer.finish
        if finish in ("refusal", "paused"):
            finish = "content_filter" if finish == "refusal" else "stop"
        return attrs.evolve(
            answer,
            usage=pools,
            finish="tool_calls" if answer.calls else finish,
            refusal="",
            redacted="",
            logprobs=None,
            stopped_at="",
            window_full=False,
        )

    def error(
        self, status: int | None = None, kind: Kind | None = None, text: str = SECRET_WORDS
    ) -> ErrorAnswer:
        """Write a documented error; a prompt that is blocked is answered with 200."""
        if kind == "content_filter":
            blocked = {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": text}
            used = {"promptTokenCount": 9, "totalTokenCount": 9}
            body = {"promptFeedback": blocked, "usageMetadata": used, "modelVersion": "echo-2001"}
            return ErrorAnswer(200, sse.body_of(body))
        words = GEMINI.words(status, kind)
        message = f"{words.message} {text}".strip()
        number = status or words.status
        return ErrorAnswer(
            number, sse.body_of(google_body(number, words.type, message, words.more))
        )

    def error_event(self, kind: Kind = "overloaded", text: str = SECRET_WORDS) -> bytes:
        """Write a failure inside a stream."""
        return sse.data(self.error(kind=kind, text=text).body.decode())

    def embeddings(self, seen: SeenRequest) -> bytes:
        """Answer with vectors."""
        return sse.body_of(gemini_embeddings(seen.json))

    def models(self, names: Sequence[str]) -> bytes:
        """List the models."""
        methods = ["generateContent", "embedContent"]
        listed = [
            {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods}
            for name in names
        ]
        return sse.body_of({"models": listed})

    def whole(self, answer: Answer, body: Json) -> bytes:
        """Write *answer* in one body."""
        heard = self.heard(answer)
        joined = attrs.evolve(
            heard,
            text=(heard.whole_text,) if heard.text else (),
            reasoning=(heard.whole_reasoning,) if heard.reasoning else (),
        )
        parts = list(_parts(joined)) or [{"text": ""}]
        return sse.body_of(_response(heard, parts, heard.usage, _REASONS[answer.finish]))

    def events(self, answer: Answer, body: Json) -> list[bytes]:
        """Write *answer* as events."""
        heard = self.heard(answer)
        found = [
            _response(heard, [part], heard.so_far(count), None)
            for count, part in enumerate(_parts(heard), start=1)
        ]
        found.append(_response(heard, [{"text": ""}], heard.usage, _REASONS[answer.finish]))
        return [sse.data(one) for one in found]


def _parts(heard: Answer) -> Iterator[Json]:
    for piece in heard.reasoning:
        yield {"text": piece, "thought": True}
    for place, piece in enumerate(heard.text, start=1):
        # The signature of the thoughts comes with the last part of the text.
        last = place == len(heard.text) and heard.signature
        yield {"text": piece} | ({"thoughtSignature": heard.signature} if last else {})
    for call in heard.calls:
        function = {"id": call.id, "name": call.name, "args": json.loads(call.whole or "{}")}
        signed = {"thoughtSignature": call.signature} if call.signature else {}
        yield {"functionCall": function, **signed}


def _response(heard: Answer, parts: list[Json], pools: Pools | None, reason: str | None) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    found: Json = {
        "candidates": [candidate],
        "modelVersion": heard.model,
        "responseId": "echo0001",
    }
    if pools is not None:
        found["usageMetadata"] = _usage(pools)
    return found


def _usage(pools: Pools) -> Json:
    usage: Json = {
        "promptTokenCount": pools.read,
        "candidatesTokenCount": pools.output,
        "totalTokenCount": pools.total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": pools.read}],
    }
    if pools.cached_input:
        usage["cachedContentTokenCount"] = pools.cached_input
    if pools.reasoning:
        usage["thoughtsTokenCount"] = pools.reasoning
    return usage
