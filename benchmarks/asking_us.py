"""Our adapters, and the floor below them."""

import json
from typing import Any

from benchmarks.asking import KEY, MOST_AT_ONCE, PROMPT, SYSTEM, Asker, see
from benchmarks.rendered import ANTHROPIC_MODEL, OPENAI_MODEL
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.messages import system, user
from tollkeeper.domain.secret import Secret


class _Ours(Asker):
    """An adapter of this project."""

    model: str
    adapter: Any

    async def close(self) -> None:
        await self.adapter.close()

    def request(self, count: int) -> ChatRequest:
        """Make the request anew for each call, as a caller does."""
        return ChatRequest(self.model, [system(SYSTEM), user(PROMPT)], count)

    async def whole(self, count: int) -> int:
        answer = await self.adapter.complete(self.request(count))
        return see(answer.text, (answer.usage.input, answer.usage.output), count)

    async def stream(self, count: int) -> int:
        text, tokens = [], (0, 0)
        async for delta in self.adapter.stream(self.request(count)):
            text.append(delta.text)
            if delta.usage is not None:
                tokens = (delta.usage.input, delta.usage.output)
        return see("".join(text), tokens, count)


class OurOpenai(_Ours):
    """The adapter for the chat-completions format."""

    name = "our-openai"
    model = OPENAI_MODEL

    async def connect(self) -> None:
        from tollkeeper.adapters.openai.chat_model import OpenaiChatModel

        self.adapter = OpenaiChatModel(
            f"{self.host}/v1", Secret(KEY), dialect="openai", connections=MOST_AT_ONCE
        )
        await self.adapter.__aenter__()


class OurAnthropic(_Ours):
    """The adapter for the format of messages, over the vendor's library."""

    name = "our-anthropic"
    path = "/v1/messages"
    model = ANTHROPIC_MODEL

    async def connect(self) -> None:
        from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel

        self.adapter = AnthropicChatModel(self.host, Secret(KEY), connections=MOST_AT_ONCE)
        await self.adapter.__aenter__()


class BareAiohttp(Asker):
    """aiohttp and json, and not a line more than reading an answer without fault takes.

    It knows no errors, no limits, and no types.
    """

    name = "aiohttp"

    async def connect(self) -> None:
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MOST_AT_ONCE),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )

    async def close(self) -> None:
        await self._session.close()

    def _post(self, count: int, **fields: Any) -> Any:
        body = {
            "model": OPENAI_MODEL,
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": PROMPT},
            ],
            "max_tokens": count,
            **fields,
        }
        return self._session.post(
            f"{self.host}/v1/chat/completions", data=json.dumps(body).encode()
        )

    async def whole(self, count: int) -> int:
        async with self._post(count) as response:
            answer = json.loads(await response.read())
        usage = answer["usage"]
        tokens = (usage["prompt_tokens"], usage["completion_tokens"])
        return see(answer["choices"][0]["message"]["content"], tokens, count)

    async def stream(self, count: int) -> int:
        text, tokens, rest = [], (0, 0), b""
        options = {"include_usage": True}
        async with self._post(count, stream=True, stream_options=options) as response:
            async for piece in response.content.iter_any():
                *events, rest = (rest + piece).split(b"\n\n")
                for event in events:
                    if event == b"data: [DONE]":
                        continue
                    chunk = json.loads(event[6:])
                    if chunk["choices"]:
                        text.append(chunk["choices"][0]["delta"].get("content") or "")
                    if usage := chunk["usage"]:
                        tokens = (usage["prompt_tokens"], usage["completion_tokens"])
        return see("".join(text), tokens, count)
