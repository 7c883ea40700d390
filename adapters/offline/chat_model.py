"""A deterministic chat model for development and tests: no network, no key, no intelligence."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Self
from urllib.parse import parse_qsl

from tollkeeper.adapters.offline.behaviour import (
    ADAPTER,
    BASE_URL,
    Behaviour,
    behaviour_of,
    break_off,
    checked_credential,
    failure,
)
from tollkeeper.adapters.offline.script import script_for
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.quirks import Quirks, adapt
from tollkeeper.domain.secret import Secret

_OPTIONS = "delay_ms, break_after"
# Sampling, labels and tiers are taken by all: they have no effect on what is always the same.
_THINKING = Quirks(unsupported=["top_logprobs"])
_THOUGHTLESS = Quirks(unsupported=["top_logprobs", "reasoning_budget"], efforts=["none"])


class OfflineChatModel:
    """Answers by rule: it repeats what the user said, word by word, and calls tools it is asked to.

    A tool is called when the prompt has its name, or the words of its name without the verb in
    front: "weather in Paris" calls ``get_weather``. Its arguments, and answers in JSON, are filled
    from the schema and the prompt. After a tool's result the model says that result. One word,
    with the space around it, counts as one token; ``max_tokens`` and ``stop`` are honoured, and
    so are ``reasoning_budget`` and ``parallel_tool_calls``. It knows no probabilities.

    The model's name says how it behaves: ``echo``; ``slow-200`` waits that many milliseconds
    before each word; ``long-500`` says that many words; ``thinking-8`` thinks as many before it
    answers; ``silent-usage`` does not report its
    usage; ``break-after-3`` breaks off after that many words; ``fail-unavailable`` and the other
    ``fail-…`` raise at once. *delay* and *break_after* are for all models that leave them open.
    """

    def __init__(self, *, delay: timedelta = timedelta(0), break_after: int | None = None) -> None:
        self._usual = Behaviour(delay=delay, break_after=break_after)

    @classmethod
    def from_url(
        cls, url: str, *, api_key: Secret | None = None, provider: str = "offline"
    ) -> Self:
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

    @property
    def provider(self) -> str:
        """The provider's name."""
        return ADAPTER

    @property
    def base_url(self) -> str:
        """Where it is found: nowhere."""
        return BASE_URL

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        """Say the whole answer, after as long as its words take."""
        builder = CompletionBuilder()
        async for delta in self.stream(request, credential=credential):
            builder.add(delta)
        return builder.build()

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Say the answer word by word."""
        checked_credential(credential)
        behaviour = behaviour_of(request.model, self._usual)
        thinks = behaviour.thinks is not None
        request, warnings = adapt(request, _THINKING if thinks else _THOUGHTLESS)
        delay = behaviour.delay.total_seconds()
        if behaviour.fails is not None:
            await asyncio.sleep(delay)
            raise failure(behaviour.fails)
        script = script_for(request, long=behaviour.long, thinks=behaviour.thinks)
        yield Delta(model=request.model, warnings=warnings)
        said = 0
        for delta in script.deltas:
            if behaviour.break_after is not None and said >= behaviour.break_after:
                break
            if delta.thought is None:
                said += 1
                await asyncio.sleep(delay)
            yield delta
        if behaviour.break_after is not None:
            raise break_off()
        usage = script.usage if behaviour.reports_usage else None
        yield Delta(finish_reason=script.finish_reason, usage=usage)

    async def health(self) -> str:
        """Say what this is; it depends on nothing outside."""
        return "deterministic, for development and tests"
