"""A deterministic chat model for development and tests: no network, no key, no intelligence."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Self
from urllib.parse import parse_qsl

from tollkeeper.adapters.offline.behaviour import Behaviour, behaviour_of, break_off, failure
from tollkeeper.adapters.offline.script import script_for
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, CompletionBuilder, Delta
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

_OPTIONS = "delay_ms, break_after"


class OfflineChatModel:
    """Answers by rule: it repeats what the user said, word by word, and calls tools it is asked to.

    A tool is called when the prompt has its name, or the words of its name without the verb in
    front: "weather in Paris" calls ``get_weather``. Its arguments, and answers in JSON, are filled
    from the schema and the prompt. After a tool's result the model says that result. One word,
    with the space around it, counts as one token; ``max_tokens`` and ``stop`` are honoured.

    The model's name says how it behaves: ``echo``; ``slow-200`` waits that many milliseconds
    before each word; ``long-500`` says that many words; ``silent-usage`` does not report its
    usage; ``break-after-3`` breaks off after that many words; ``fail-unavailable`` and the other
    ``fail-…`` raise at once. *delay* and *break_after* are for all models that leave them open.
    """

    def __init__(self, *, delay: timedelta = timedelta(0), break_after: int | None = None) -> None:
        self._usual = Behaviour(delay=delay, break_after=break_after)

    @classmethod
    def from_url(cls, url: str, *, api_key: Secret | None = None) -> Self:
        """Make one from ``offline://``; ``?delay_ms=5&break_after=3`` may follow. No key is used.

        Raises:
            ConfigurationError: the URL says something else.
        """
        address, _, query = url.partition("?")
        if address != "offline://":
            raise ConfigurationError(
                "the offline chat model's URL is offline://, options may follow: "
                "offline://?delay_ms=5"
            )
        numbers: dict[str, int] = {}
        for name, text in parse_qsl(query, keep_blank_values=True):
            if name not in ("delay_ms", "break_after"):
                raise ConfigurationError(f"offline:// has no option {name!r}: use {_OPTIONS}")
            if not (text.isascii() and text.isdecimal() and len(text) <= 6):
                raise ConfigurationError(f"{name} in offline:// is a whole number, such as 5")
            numbers[name] = int(text)
        delay = timedelta(milliseconds=numbers.get("delay_ms", 0))
        return cls(delay=delay, break_after=numbers.get("break_after"))

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        """Say the whole answer, after as long as its words take."""
        builder = CompletionBuilder()
        async for delta in self.stream(request):
            builder.add(delta)
        return builder.build()

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Say the answer word by word."""
        behaviour = behaviour_of(request.model, self._usual)
        delay = behaviour.delay.total_seconds()
        if behaviour.fails is not None:
            await asyncio.sleep(delay)
            raise failure(behaviour.fails)
        script = script_for(request, long=behaviour.long)
        yield Delta(model=request.model)
        for delta in script.words[: behaviour.break_after]:
            await asyncio.sleep(delay)
            yield delta
        if behaviour.break_after is not None:
            raise break_off()
        usage = script.usage if behaviour.reports_usage else None
        yield Delta(finish_reason=script.finish_reason, usage=usage)

    async def health(self) -> str:
        """Say what this is; it depends on nothing outside."""
        return "deterministic, for development and tests"
