"""The vendors' libraries, and the one that most put in front of several vendors."""

from importlib import import_module
from typing import Any

from benchmarks.asking import KEY, PROMPT, SYSTEM, Asker, see
from benchmarks.rendered import ANTHROPIC_MODEL, OPENAI_MODEL


def _messages() -> list[dict[str, str]]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}]


class _OpenaiShaped(Asker):
    """Libraries whose answers have the same shape; *create* asks for one."""

    async def create(self, **options: Any) -> Any:
        raise NotImplementedError

    async def whole(self, count: int) -> int:
        answer = await self.create(max_tokens=count)
        usage = answer.usage
        tokens = (usage.prompt_tokens, usage.completion_tokens)
        return see(answer.choices[0].message.content, tokens, count)

    async def stream(self, count: int) -> int:
        text, tokens = [], (0, 0)
        options = {"include_usage": True}
        async for chunk in await self.create(max_tokens=count, stream=True, stream_options=options):
            if chunk.choices:
                text.append(chunk.choices[0].delta.content or "")
            if getattr(chunk, "usage", None) is not None:
                tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        return see("".join(text), tokens, count)


class OpenaiSdk(_OpenaiShaped):
    """The vendor's own library, one client for all calls."""

    name = "openai-sdk"

    async def connect(self) -> None:
        openai = import_module("openai")
        self._client = openai.AsyncOpenAI(base_url=f"{self.host}/v1", api_key=KEY, max_retries=0)

    async def close(self) -> None:
        await self._client.close()

    async def create(self, **options: Any) -> Any:
        return await self._client.chat.completions.create(
            model=OPENAI_MODEL, messages=_messages(), **options
        )


class AnthropicSdk(Asker):
    """The vendor's own library, one client for all calls; streams by ``create(stream=True)``.

    That takes half the processor time of its ``stream()``.
    """

    name = "anthropic-sdk"
    path = "/v1/messages"

    async def connect(self) -> None:
        anthropic = import_module("anthropic")
        self._client = anthropic.AsyncAnthropic(base_url=self.host, api_key=KEY, max_retries=0)

    async def close(self) -> None:
        await self._client.close()

    async def _create(self, count: int, **options: Any) -> Any:
        return await self._client.messages.create(
            model=ANTHROPIC_MODEL,
            system=SYSTEM,
            messages=[{"role": "user", "content": PROMPT}],
            max_tokens=count,
            **options,
        )

    async def whole(self, count: int) -> int:
        answer = await self._create(count)
        tokens = (answer.usage.input_tokens, answer.usage.output_tokens)
        return see(answer.content[0].text, tokens, count)

    async def stream(self, count: int) -> int:
        text, read, written = [], 0, 0
        async for event in await self._create(count, stream=True):
            if event.type == "content_block_delta":
                text.append(event.delta.text)
            elif event.type == "message_start":
                read = event.message.usage.input_tokens
            elif event.type == "message_delta":
                written = event.usage.output_tokens
        return see("".join(text), (read, written), count)


class Litellm(_OpenaiShaped):
    """The library's plain function."""

    name = "litellm"
    model = f"openai/{OPENAI_MODEL}"

    @property
    def base_url(self) -> str:
        """Where the library finds the server."""
        return f"{self.host}/v1"

    async def connect(self) -> None:
        library: Any = import_module("litellm")
        library.suppress_debug_info = True
        self.library = library

    async def close(self) -> None:
        await self.library.close_litellm_async_clients()

    async def create(self, **options: Any) -> Any:
        return await self.library.acompletion(
            model=self.model,
            messages=_messages(),
            api_base=self.base_url,
            api_key=KEY,
            max_retries=0,
            num_retries=0,
            **options,
        )


class LitellmAnthropic(Litellm):
    """The same, at a server that speaks the format of messages."""

    name = "litellm-anthropic"
    path = "/v1/messages"
    model = f"anthropic/{ANTHROPIC_MODEL}"

    @property
    def base_url(self) -> str:
        return self.host


class LitellmRouter(Litellm):
    """The same library's router, with one deployment."""

    name = "litellm-router"

    async def connect(self) -> None:
        await super().connect()
        place = {
            "model": self.model,
            "api_base": self.base_url,
            "api_key": KEY,
            "max_retries": 0,
        }
        self._router = self.library.Router(
            model_list=[{"model_name": OPENAI_MODEL, "litellm_params": place}], num_retries=0
        )

    async def create(self, **options: Any) -> Any:
        return await self._router.acompletion(model=OPENAI_MODEL, messages=_messages(), **options)
