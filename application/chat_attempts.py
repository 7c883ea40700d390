"""How one attempt at a completion is made: whole, or as a stream up to its first word."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
from attrs import define, field, frozen

from tollkeeper.application.chat_call import ChatCall
from tollkeeper.application.live_attempt import LiveAttempt
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, Delta, FinishReason
from tollkeeper.domain.errors import CorruptResponse, TollkeeperError
from tollkeeper.domain.tools import JsonSchema
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.schema_validator import SchemaValidator

LONGEST_CLOSE = 5.0
"""Seconds that closing the connection to a provider may take."""


@frozen
class WholeAnswer:
    """Opens attempts that bring a whole answer."""

    call: ChatCall

    async def open(self, attempt: LiveAttempt[ChatModel]) -> Completion:
        """Ask for the whole answer."""
        route = attempt.route
        answer = await route.adapter.complete(self.call.along(route), credential=attempt.credential)
        attempt.answered(answer)
        return answer

    async def discard(self, attempt: LiveAttempt[ChatModel], opened: Completion) -> None:
        """Do nothing: the attempt has ended, and what it brought is written off."""


@define(eq=False)
class OpenStream:
    """A stream of which the first word is there: *begun* holds what came up to it."""

    upstream: AsyncIterator[Delta]
    begun: list[Delta]

    async def close(self) -> None:
        """Close the connection to the provider.

        What an adapter says while it is being closed is no news any more; the charge matters.
        """
        aclose: Any = getattr(self.upstream, "aclose", None)
        if aclose is not None:
            with suppress(Exception):
                with anyio.fail_after(LONGEST_CLOSE):
                    await aclose()


@define(eq=False)
class StreamedAnswer:
    """Opens attempts that bring a stream."""

    call: ChatCall
    _usage_of: dict[int, Completion] = field(factory=dict)

    async def open(self, attempt: LiveAttempt[ChatModel]) -> OpenStream:
        """Ask for a stream, and read it until it says something to the caller."""
        route = attempt.route
        upstream = route.adapter.stream(self.call.along(route), credential=attempt.credential)
        stream = OpenStream(upstream, [])
        try:
            async for delta in upstream:
                stream.begun.append(delta)
                if _says_something(delta):
                    return stream
        except BaseException as error:
            attempt.reported = _reported(stream.begun)
            if not isinstance(error, TollkeeperError):
                await stream.close()
            raise
        attempt.reported = _reported(stream.begun)
        raise CorruptResponse(
            "the provider's answer ends before it begins",
            port="chat_model",
            adapter=route.provider,
        )

    async def discard(self, attempt: LiveAttempt[ChatModel], opened: OpenStream) -> None:
        """Close the stream that lost."""
        attempt.abandoned(_added_up(opened.begun))
        await opened.close()


def _says_something(delta: Delta) -> bool:
    return bool(
        delta.text
        or delta.tool_calls
        or delta.reasoning
        or delta.refusal
        or delta.finish_reason
        or delta.thought
    )


def _reported(deltas: list[Delta]) -> Completion | None:
    """Add up *deltas* that said nothing to the caller; None if they report no usage either."""
    seen = _added_up(deltas)
    return seen if seen.usage is not None else None


def _added_up(deltas: list[Delta]) -> Completion:
    builder = CompletionBuilder()
    for delta in deltas:
        builder.add(delta)
    return builder.build()


def check_format(request: ChatRequest, answer: Completion, validator: SchemaValidator) -> None:
    """Check that an answer that is complete has the form that was asked for.

    Raises:
        CorruptResponse: it is no JSON (code ``invalid_json_answer``), or breaks its schema
            (``schema_mismatch``); ``partial`` is the answer, which was charged.
    """
    wanted = request.response_format
    if wanted == "text" or answer.finish_reason is not FinishReason.STOP or answer.refusal:
        return
    error: CorruptResponse | None = None
    provider = answer.provider or "chat_model"
    try:
        document = json.loads(answer.text)
    except (ValueError, RecursionError):
        error = CorruptResponse(
            "the model was asked for JSON and answered something else: ask again, or choose a "
            "model that keeps to a schema",
            port="chat_model",
            adapter=provider,
            code="invalid_json_answer",
        )
    else:
        schema = wanted if isinstance(wanted, JsonSchema) else None
        fault = None if schema is None else validator.fault(document, schema.schema)
        if schema is not None and fault is not None:
            error = CorruptResponse(
                f"the model's answer breaks the schema {schema.name} {fault}",
                port="chat_model",
                adapter=provider,
                code="schema_mismatch",
            )
    if error is not None:
        error.partial = answer
        raise error
