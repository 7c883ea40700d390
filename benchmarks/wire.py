"""Asking a model over HTTP: our adapter, a bare HTTP client, and the usual libraries."""

import json
from importlib import import_module
from typing import Any

from benchmarks.contender import Arena, Benchmark, Case, Entry
from benchmarks.upstream import INPUT_TOKENS, OUTPUT_TOKENS, TEXT
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.messages import system, user
from tollkeeper.domain.secret import Secret

_KEY = "not-a-real-key"
_MODEL = "gpt-4o-mini"
_SYSTEM = "You are a patient assistant. Answer in one short paragraph."
_PROMPT = "Why is the sky blue at noon, and red in the evening?"
_MOST_TOKENS = 256


def _messages() -> list[dict[str, str]]:
    return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _PROMPT}]


def _see(text: str, tokens: tuple[int, int]) -> int:
    """Check one answer; it counts as one operation."""
    assert text == TEXT
    assert tokens == (INPUT_TOKENS, OUTPUT_TOKENS)
    return 1


class _Wire:
    """What all have in common: an address of its own, where the server counts its requests."""

    name: str

    def __init__(self) -> None:
        self.calls = 0

    async def open(self, arena: Arena) -> None:
        self._server = arena.upstream
        self.base_url = f"{arena.upstream}/{self.name}/v1"
        await self.connect()

    async def connect(self) -> None:
        raise NotImplementedError

    async def whole(self) -> int:
        raise NotImplementedError

    async def stream(self) -> int:
        raise NotImplementedError

    async def call(self, mode: str) -> int:
        self.calls += 1
        return await (self.stream() if mode == "stream" else self.whole())

    async def check(self) -> None:
        """Assert that each call was one request: nothing was sent twice unseen."""
        import aiohttp

        async with aiohttp.ClientSession() as session, session.get(f"{self._server}/seen") as seen:
            requests = (await seen.json())[f"/{self.name}/v1/chat/completions"]
        assert requests == self.calls, (requests, self.calls)


class Ours(_Wire):
    """The adapter of this project."""

    name = "ours"

    async def connect(self) -> None:
        from tollkeeper.adapters.openai.chat_model import OpenaiChatModel

        self._model = OpenaiChatModel(self.base_url, Secret(_KEY))
        await self._model.__aenter__()

    async def close(self) -> None:
        await self._model.close()

    @staticmethod
    def _request() -> ChatRequest:
        return ChatRequest(_MODEL, [system(_SYSTEM), user(_PROMPT)], _MOST_TOKENS)

    async def whole(self) -> int:
        answer = await self._model.complete(self._request())
        assert answer.usage is not None
        return _see(answer.text, (answer.usage.input, answer.usage.output))

    async def stream(self) -> int:
        text, tokens = [], (0, 0)
        async for delta in self._model.stream(self._request()):
            text.append(delta.text)
            if delta.usage is not None:
                tokens = (delta.usage.input, delta.usage.output)
        return _see("".join(text), tokens)


class BareAiohttp(_Wire):
    """aiohttp alone; a stream's bytes are read and thrown away, a whole answer is not decoded."""

    name = "aiohttp"

    async def connect(self) -> None:
        import aiohttp

        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {_KEY}"})

    async def close(self) -> None:
        await self._session.close()

    async def _send(self, fields: dict[str, Any]) -> int:
        body = {"model": _MODEL, "messages": _messages(), "max_tokens": _MOST_TOKENS, **fields}
        last = b""
        async with self._session.post(
            f"{self.base_url}/chat/completions",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        ) as answer:
            async for piece in answer.content.iter_any():
                last = piece
        assert last.endswith((b"}", b"[DONE]\n\n"))
        return 1

    async def whole(self) -> int:
        return await self._send({})

    async def stream(self) -> int:
        return await self._send({"stream": True, "stream_options": {"include_usage": True}})


class _OpenaiShaped(_Wire):
    """Two libraries whose answers have the same shape; *create* asks for one."""

    async def create(self, **options: Any) -> Any:
        raise NotImplementedError

    async def whole(self) -> int:
        answer = await self.create()
        usage = answer.usage
        return _see(
            answer.choices[0].message.content, (usage.prompt_tokens, usage.completion_tokens)
        )

    async def stream(self) -> int:
        text, tokens = [], (0, 0)
        async for chunk in await self.create(stream=True, stream_options={"include_usage": True}):
            if chunk.choices:
                text.append(chunk.choices[0].delta.content or "")
            if getattr(chunk, "usage", None) is not None:
                tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        return _see("".join(text), tokens)


class OpenaiSdk(_OpenaiShaped):
    """The vendor's own library, one client for all calls."""

    name = "openai-sdk"

    async def connect(self) -> None:
        openai = import_module("openai")
        self._client = openai.AsyncOpenAI(base_url=self.base_url, api_key=_KEY, max_retries=0)

    async def close(self) -> None:
        await self._client.close()

    async def create(self, **options: Any) -> Any:
        return await self._client.chat.completions.create(
            model=_MODEL, messages=_messages(), max_tokens=_MOST_TOKENS, **options
        )


class Litellm(_OpenaiShaped):
    """The library that most put in front of several vendors."""

    name = "litellm"

    async def connect(self) -> None:
        litellm: Any = import_module("litellm")
        litellm.suppress_debug_info = True
        self._acompletion = litellm.acompletion

    async def close(self) -> None:
        pass

    async def create(self, **options: Any) -> Any:
        return await self._acompletion(
            model=f"openai/{_MODEL}",
            messages=_messages(),
            max_tokens=_MOST_TOKENS,
            api_base=self.base_url,
            api_key=_KEY,
            max_retries=0,
            num_retries=0,
            **options,
        )


WIRE = Benchmark(
    name="wire",
    title="A chat completion over HTTP, loopback",
    operation="call",
    entries=(
        Entry("ours", "tollkeeper", Ours, side="ours", package="aiohttp"),
        Entry("aiohttp", "bare aiohttp {version}", BareAiohttp, side="floor", package="aiohttp"),
        Entry("openai-sdk", "openai {version}", OpenaiSdk, package="openai"),
        Entry("litellm", "litellm {version}", Litellm, package="litellm"),
    ),
    cases=tuple(
        Case(
            f"{'22-chunk stream' if mode == 'stream' else 'whole answer'}, {callers} at once",
            callers,
            mode,
        )
        for mode in ("whole", "stream")
        for callers in (1, 64)
    ),
    baseline="ours",
    needs_upstream=True,
)
