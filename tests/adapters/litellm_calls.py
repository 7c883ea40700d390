"""How the tests of the litellm adapter ask, and look at what went wrong."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers.wire import FORMATS
from tests.servers.wire.format import SECRET_WORDS
from tests.servers.wire_server import WireServer, wire_server
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.messages import user
from tollkeeper.domain.secret import Secret

KEY = "sk-litellm-a-secret-that-nobody-sees"
TEXT = "Grüezi 世界 🌍 !"
PROVIDERS = ("openai", "groq", "openrouter", "xai", "morph", "gemini", "anthropic")


def format_of(provider: str) -> str:
    """Name the wire format that litellm speaks with *provider*."""
    return "gemini-native" if provider == "gemini" else provider


@contextmanager
def provider_server(provider: str, api_key: str | None = KEY) -> Iterator[WireServer]:
    """Serve the wire format that litellm speaks with *provider* on loopback."""
    with wire_server(FORMATS[format_of(provider)], api_key) as server:
        yield server


def model_at(server: WireServer, provider: str, **more: Any) -> LitellmChatModel:
    """Make the adapter for *server*."""
    return LitellmChatModel(server.base_url, Secret(KEY), provider=provider, **more)


def asking(model: str = "echo", text: str = TEXT, **more: Any) -> ChatRequest:
    """Ask *model* to say *text* again."""
    return ChatRequest(model, (user(text),), **{"max_tokens": 64, **more})


async def pieces(chat_model: LitellmChatModel, request: ChatRequest, **more: Any) -> list[Delta]:
    """Read a stream to its end."""
    return [delta async for delta in chat_model.stream(request, **more)]


async def ask(
    chat_model: LitellmChatModel, request: ChatRequest, *, streamed: bool, **more: Any
) -> Completion:
    """Return the answer; an error bears what came before it as a note."""
    if not streamed:
        return await chat_model.complete(request, **more)
    builder = CompletionBuilder()
    try:
        async for delta in chat_model.stream(request, **more):
            builder.add(delta)
    except TollkeeperError as error:
        error.add_note(builder.build().text)
        raise
    return builder.build()


def came_before(error: TollkeeperError) -> str:
    """Return the text that came before *error*."""
    return "".join(getattr(error, "__notes__", []))


def shows_nothing(error: BaseException | None) -> None:
    """See that *error*, and whatever led to it, has no key and no words of the provider."""
    waiting, shown, seen = [error], "", set[int]()
    while waiting:
        inner = waiting.pop()
        if inner is None or id(inner) in seen:
            continue
        seen.add(id(inner))
        shown += "".join(traceback.TracebackException.from_exception(inner).format(chain=False))
        shown += repr(inner) + str(inner) + repr(inner.args)
        if inner is not error:
            assert inner.__traceback__ is None or _locals_are_clean(inner)
        waiting += [inner.__cause__, inner.__context__]
    assert seen
    assert KEY not in shown
    assert SECRET_WORDS not in shown


def _locals_are_clean(error: BaseException) -> bool:
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return KEY not in "".join(report.format(chain=False))
