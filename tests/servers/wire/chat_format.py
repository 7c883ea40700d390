"""The chat-completions format, in the dialect of one of six providers."""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from tests.servers.http_player import SeenRequest
from tests.servers.wire import sse
from tests.servers.wire.answer import Answer, Call, Json
from tests.servers.wire.chat_dialects import DIALECTS, Dialect
from tests.servers.wire.chat_request import STRICT, asked_of, complaint_of
from tests.servers.wire.echo import Asked
from tests.servers.wire.embeddings import chat_embeddings
from tests.servers.wire.format import SECRET_WORDS, ErrorAnswer, Kind, Task

CREATED = 978_307_200
_TASKS: dict[tuple[str, str], Task] = {
    ("POST", "/chat/completions"): "chat",
    ("POST", "/embeddings"): "embed",
    ("GET", "/models"): "models",
}
_NATIVE = {"stop": "completed", "tool_calls": "completed", "length": "max_output_tokens"}


@frozen
class OpenaiFormat:
    """``POST /chat/completions`` as one provider speaks it."""

    dialect: Dialect
    has_terminal_event: bool = True

    @classmethod
    def of(cls, provider: str) -> "OpenaiFormat":
        """Speak as *provider* does."""
        return cls(DIALECTS[provider])

    @property
    def name(self) -> str:
        """The provider."""
        return self.dialect.name

    @property
    def root(self) -> str:
        """What a base URL has after the host."""
        return self.dialect.root

    @property
    def statuses(self) -> tuple[int, ...]:
        """The documented statuses of errors."""
        return tuple(self.dialect.errors.by_status)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of failure that can be told apart."""
        return tuple(self.dialect.errors.by_kind)

    def task(self, method: str, route: str) -> Task | None:
        """Say what is asked for."""
        return _TASKS.get((method, route.removeprefix(self.root)))

    def serves(self, method: str, path: str) -> bool:
        """Whether anything is there."""
        return self.task(method, path.partition("?")[0]) is not None

    def key_of(self, seen: SeenRequest) -> str:
        """Return the bearer token."""
        return seen.headers.get("authorization", "").removeprefix("Bearer ")

    def model_of(self, seen: SeenRequest) -> str:
        """Return the model's name."""
        return str(seen.json["model"])

    def is_streamed(self, seen: SeenRequest) -> bool:
        """Whether the answer is wanted in pieces."""
        return self.task(seen.method, seen.route) == "chat" and bool(seen.json.get("stream"))

    def asked(self, seen: SeenRequest) -> Asked:
        """Read what is asked for."""
        return asked_of(seen.json, signs=self.dialect.signs)

    def complaint(self, seen: SeenRequest) -> str:
        """Say which rule is broken."""
        if self.task(seen.method, seen.route) != "chat":
            return ""
        return complaint_of(seen.json, signs=self.dialect.signs)

    def heard(self, answer: Answer) -> Answer:
        """Leave out what the dialect cannot say."""
        return self.dialect.heard(answer)

    def error(
        self, status: int | None = None, kind: Kind | None = None, text: str = SECRET_WORDS
    ) -> ErrorAnswer:
        """Write a documented error."""
        return self.dialect.errors.error(status, kind, text)

    def error_event(self, kind: Kind = "overloaded", text: str = SECRET_WORDS) -> bytes:
        """Write a failure inside a stream."""
        errors = self.dialect.errors
        shaped = errors.shape(errors.words(None, kind), text)
        if self.name == "groq":
            assert isinstance(shaped, dict)
            return sse.named("error", shaped)
        if self.name == "openrouter":
            assert isinstance(shaped, dict)
            choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
            return sse.data(self._body("chunk", [choice]) | {"error": shaped["error"]})
        return sse.data(shaped[0] if isinstance(shaped, list) else shaped)

    def embeddings(self, seen: SeenRequest) -> bytes:
        """Answer with vectors."""
        return sse.body_of(chat_embeddings(seen.json))

    def models(self, names: Sequence[str]) -> bytes:
        """List the models."""
        listed = [
            {"id": name, "object": "model", "created": CREATED, "owned_by": self.name}
            for name in names
        ]
        return sse.body_of({"object": "list", "data": listed})

    def whole(self, answer: Answer, body: Json) -> bytes:
        """Write *answer* in one body."""
        heard = self.heard(answer)
        message: Json = {"role": "assistant", "content": heard.whole_text or None}
        message |= self._reasoning(heard.whole_reasoning, heard.signature)
        if self.dialect.refuses:
            message |= {"refusal": heard.refusal or None, "annotations": []}
        if heard.calls:
            message["tool_calls"] = [self._call(call) for call in heard.calls]
        choice = {"index": 0, "message": message, **self._end(heard, answer)}
        if self.dialect.logprobs:
            choice["logprobs"] = _logprobs(heard.logprobs)
        found = self._body("", [choice], heard.model)
        if heard.usage is not None:
            found["usage"] = self.dialect.usage_of(heard.usage)
        if self.name == "groq":
            found["x_groq"] = {"id": "req_01"}
        return sse.body_of(found)

    def events(self, answer: Answer, body: Json) -> list[bytes]:
        """Write *answer* as events."""
        heard = self.heard(answer)
        asks = bool((body.get("stream_options") or {}).get("include_usage"))
        chunks = [self._chunk(heard, delta) for delta in self._deltas(heard)]
        if heard.logprobs is not None:
            said = [chunk for chunk in chunks if chunk["choices"][0]["delta"].get("content")]
            for chunk, one in zip(said, heard.logprobs, strict=False):
                chunk["choices"][0]["logprobs"] = _logprobs((one,))
        end = self._chunk(heard, {})
        end["choices"][0] |= self._end(heard, answer)
        chunks.append(end)
        chunks += self._report(heard, chunks, asks=asks)
        comments = [b": OPENROUTER PROCESSING\n\n"] if self.dialect.comments else []
        return [*comments, *map(sse.data, chunks), sse.data("[DONE]")]

    def _report(self, heard: Answer, chunks: list[Json], *, asks: bool) -> list[Json]:
        """Put the usage where the dialect has it; return the chunks to add."""
        if self.dialect.usage == "beside x_groq":
            chunks[0]["x_groq"] = {"id": "req_01"}
        if heard.usage is None:
            return []
        usage = self.dialect.usage_of(heard.usage)
        place = self.dialect.usage
        if place == "each" or heard.usage_everywhere:
            for count, chunk in enumerate(chunks):
                so_far = heard.so_far(count)
                assert so_far is not None
                chunk["usage"] = self.dialect.usage_of(so_far)
        if place == "each" or (place == "last" and asks):
            chunks[-1]["usage"] = usage
        if place == "beside x_groq":
            chunks[-1]["x_groq"] = {"id": "req_01", "usage": usage}
        if place == "after":
            return [self._chunk(heard, {"role": "assistant", "content": ""}) | {"usage": usage}]
        if place in ("extra", "beside x_groq") and asks:
            for chunk in chunks:
                chunk.setdefault("usage", None)
            return [self._body("chunk", [], heard.model) | {"usage": usage}]
        return []

    def _deltas(self, heard: Answer) -> Iterator[Json]:
        role: Json = {"role": "assistant", "content": ""}
        yield role | ({"refusal": None} if self.dialect.refuses else {})
        for piece in heard.reasoning:
            yield self._reasoning(piece, "")
        if heard.signature:
            yield {"content": "", **self._reasoning("", heard.signature)}
        for piece in heard.text:
            yield {"content": piece}
        if heard.refusal:
            yield {"refusal": heard.refusal}
        for index, call in enumerate(heard.calls):
            if self.dialect.signs:
                yield {"tool_calls": [{"index": 0, **self._call(call)}]}
                continue
            begin = {"name": call.name, "arguments": ""}
            call_begin = {"index": index, "id": call.id, "type": "function", "function": begin}
            yield {"tool_calls": [call_begin]}
            for piece in call.arguments:
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}

    def _reasoning(self, text: str, signature: str) -> Json:
        if not self.dialect.reasoning or not (text or signature):
            return {}
        found: Json = {self.dialect.reasoning: text or None}
        if self.dialect.comments:
            detail: Json = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
            if text:
                detail["text"] = text
            if signature:
                detail["signature"] = signature
            found["reasoning_details"] = [detail]
        return found

    def _call(self, call: Call) -> Json:
        function = {"name": call.name, "arguments": call.whole}
        found: Json = {"id": call.id, "type": "function", "function": function}
        if call.signature:
            found["extra_content"] = {"google": {"thought_signature": call.signature}}
        return found

    def _end(self, heard: Answer, answer: Answer) -> Json:
        found: Json = {"finish_reason": heard.finish}
        if self.name == "openrouter":
            found["native_finish_reason"] = _NATIVE.get(answer.finish, answer.finish)
        return found

    def _chunk(self, heard: Answer, delta: Json) -> Json:
        choice: Json = {"index": 0, "delta": delta, "finish_reason": None}
        if self.name == "openrouter":
            choice["native_finish_reason"] = None
        return self._body("chunk", [choice], heard.model)

    def _body(self, kind: str, choices: list[Json], model: str = "echo-2001") -> Json:
        return {
            "id": f"{self.dialect.id_prefix}echo0001",
            "object": "chat.completion.chunk" if kind else "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": choices,
            **self.dialect.always,
        }


def _logprobs(tokens: tuple[tuple[str, float], ...] | None) -> Any:
    if tokens is None:
        return None
    content = [
        {
            "token": token,
            "logprob": logprob,
            "bytes": list(token.encode()),
            "top_logprobs": [{"token": token, "logprob": logprob, "bytes": list(token.encode())}],
        }
        for token, logprob in tokens
    ]
    return {"content": content, "refusal": None}


__all__ = ["STRICT", "OpenaiFormat"]
