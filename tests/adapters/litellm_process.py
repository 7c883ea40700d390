"""A host's process, for the tests of what litellm may not do to it: run by itself.

It prints a JSON object: what was found, by name.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import threading
import warnings
from typing import Any

from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.messages import user
from tollkeeper.domain.secret import Secret

_OWN = ("LiteLLM", "LiteLLM Proxy", "LiteLLM Proxy.stdout", "LiteLLM Router")
_SETTINGS = (str, int, float, bool, type(None), list, dict, tuple)


class _Heard(logging.Handler):
    """Keeps every record that reaches the host."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.names: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.names.append(record.name)


def _loggers() -> dict[str, Any]:
    known = logging.root.manager.loggerDict
    named = {name: one for name, one in known.items() if isinstance(one, logging.Logger)}
    return {
        name: (one.level, one.propagate, one.disabled, len(one.handlers), len(one.filters))
        for name, one in {"": logging.root, **named}.items()
        if name not in _OWN
    }


def _settings() -> dict[str, str]:
    module = sys.modules["litellm"]
    found = {name: value for name, value in vars(module).items() if not name.startswith("__")}
    return {
        name: repr(value)
        for name, value in found.items()
        if isinstance(value, _SETTINGS) and name not in ("model_cost",)
    }


async def _calls(base_url: str, provider: str, key: str) -> dict[str, Any]:
    async with LitellmChatModel(base_url, Secret(key), provider=provider) as model:
        request = ChatRequest("echo", [user("one two")], 64)
        whole = await model.complete(request)
        before = _settings()
        pieces = [delta async for delta in model.stream(request)]
        unknown = ChatRequest("nobody-knows-it", [user("one")], 64)
        failures = []
        for failing in (unknown, ChatRequest("silent", [user("one")], 64)):
            try:
                await model.complete(failing)
            except Exception as error:
                failures.append(type(error).__name__)
        settings_kept = before == _settings()
    await asyncio.sleep(0.05)
    return {
        "text": whole.text,
        "streamed": "".join(piece.text for piece in pieces),
        "failures": failures,
        "settings_kept": settings_kept,
        "tasks": len(asyncio.all_tasks()) - 1,
    }


def main(base_url: str, provider: str, key: str) -> None:
    """Look at the process before and after a few calls."""
    connected: list[str] = []
    real = socket.getaddrinfo

    def watched(host: Any, *more: Any, **options: Any) -> Any:
        connected.append(str(host))
        return real(host, *more, **options)

    socket.getaddrinfo = watched
    heard = _Heard()
    logging.root.addHandler(heard)
    logging.root.setLevel(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.INFO)
    imported = "litellm" in sys.modules
    LitellmChatModel(base_url, Secret(key), provider=provider)
    imported_when_made = "litellm" in sys.modules
    environment, filters, hook = dict(os.environ), list(warnings.filters), sys.excepthook
    loggers, threads = _loggers(), threading.active_count()
    warned: list[str] = []
    warnings.showwarning = lambda message, *_, **__: warned.append(str(message))
    found = asyncio.run(_calls(base_url, provider, key))
    after = _loggers()
    found |= {
        "imported": imported or imported_when_made,
        "environment_kept": environment == dict(os.environ),
        "filters_added": len([one for one in warnings.filters if one not in filters]),
        "hook_kept": hook is sys.excepthook,
        "loggers_changed": [name for name, state in loggers.items() if after.get(name) != state],
        "touched": [
            name for name in ("httpx", "uvicorn.access", "asyncio") if _touched(after.get(name))
        ],
        "heard": sorted({name for name in heard.names if name.startswith(("LiteLLM", "httpx"))}),
        "warned": warned,
        "hosts": sorted(set(connected) - {"127.0.0.1"}),
        "threads": [one.name for one in threading.enumerate() if "litellm" in one.name],
        "more_threads": threading.active_count() - threads,
    }
    print(json.dumps(found))


def _touched(state: Any) -> bool:
    return state is not None and (state[3] or state[4])


if __name__ == "__main__":
    main(*sys.argv[1:])
