"""How the tests of the OpenAI wire ask, and look at what went wrong."""

import json
import traceback
from typing import Any

import attrs

from tests.servers.openai_plays import SECRET_WORDS
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.adapters.openai.dialects import Dialect
from tollkeeper.adapters.openai.encoding import encode_request, fitted
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.errors import (
    TollkeeperError,
)
from tollkeeper.domain.messages import user

ASKED = ChatRequest("m", (user("Hello"),), 4_096)
KEY = "sk-a-secret-that-nobody-sees"


def asking(model: str) -> ChatRequest:
    return ChatRequest(model, (user("Grüezi 世界 🌍 !"),), 64)


def asking_for(model: str, text: str = "Say one two three", **more: Any) -> ChatRequest:
    return ChatRequest(model, (user(text),), 64, **more)


async def streamed(chat_model: OpenaiChatModel, request: ChatRequest) -> Completion:
    builder = CompletionBuilder()
    async for delta in chat_model.stream(request):
        builder.add(delta)
    return builder.build()


async def ask(chat_model: OpenaiChatModel, model: str, *, streamed: bool) -> Completion:
    """Return the answer; if it fails, the error says what came before it."""
    if not streamed:
        return await chat_model.complete(asking(model))
    builder = CompletionBuilder()
    try:
        async for delta in chat_model.stream(asking(model)):
            builder.add(delta)
    except TollkeeperError as error:
        error.add_note(builder.build().text)
        raise
    return builder.build()


def shows_nothing(error: BaseException | None) -> None:
    """See that a report of *error*, variables included, has no key and no words of the provider."""
    assert error is not None
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = "".join(report.format())
    while error is not None:
        shown += repr(error) + str(error) + repr(error.args)
        assert error.__cause__ is None or error.__context__ in (None, error.__cause__)
        error = error.__cause__
    assert KEY not in shown
    assert SECRET_WORDS not in shown


def sent(dialect: Dialect, request: ChatRequest = ASKED, **changes: Any) -> dict[str, Any]:
    """Return what goes out for *request*, with *changes*, in *dialect*."""
    fit, _ = fitted(attrs.evolve(request, **changes), dialect)
    found: dict[str, Any] = json.loads(encode_request(fit, stream=False, dialect=dialect))
    return found
