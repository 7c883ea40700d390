"""What surrounds Anthropic's adapter: environment, logging, telemetry, other users of the SDK."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import anthropic
import pytest

from tests.adapters.anthropic_calls import KEY, TEXT, anthropic_server, ask, asking
from tests.servers.wire import scenarios
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.domain.secret import Secret

_SCRIPT = """
import asyncio, json, logging, sys
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.messages import user
from tollkeeper.domain.secret import Secret
before = sorted(set(sys.modules) & {"anthropic", "httpx2", "opentelemetry"})
async def main():
    request = ChatRequest("echo", (user("Hello"),), 5)
    async with AnthropicChatModel(sys.argv[1], Secret(sys.argv[2])) as model:
        whole = (await model.complete(request)).text
        streamed = "".join([delta.text async for delta in model.stream(request)])
        await model.health()
    loggers = [logging.getLogger(name) for name in ("", "anthropic", "httpx2")]
    print(json.dumps({
        "said": [whole, streamed],
        "imported before use": before,
        "handlers": sum(len(logger.handlers) for logger in loggers),
        "levels": [logger.level for logger in loggers],
    }))
asyncio.run(main())
"""
NOWHERE = "http://127.0.0.1:9"


def test_the_environment_has_no_effect_at_all(tmp_path: Path) -> None:
    hostile = {
        "ANTHROPIC_API_KEY": "sk-of-somebody-else",
        "ANTHROPIC_AUTH_TOKEN": "token-of-somebody-else",
        "ANTHROPIC_BASE_URL": NOWHERE,
        "ANTHROPIC_CUSTOM_HEADERS": (
            "X-Api-Key: sk-of-somebody-else\nAuthorization: Bearer theirs\nHost: theirs.example\n"
            "Content-Type: multipart/form-data\nContent-Length: 3\nTransfer-Encoding: chunked\n"
            "anthropic-version: 1999-01-01\nanthropic-beta: theirs\nX-Theirs: theirs\nCookie: a=b"
        ),
        "ANTHROPIC_PROFILE": "theirs",
        "ANTHROPIC_CONFIG_DIR": str(tmp_path),
        "ANTHROPIC_LOG": "debug",
        "ANTHROPIC_OPEN_TELEMETRY": "true",
        "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
        "ANTHROPIC_WEBHOOK_SIGNING_KEY": "theirs",
        "SSL_CERT_FILE": str(tmp_path / "none.pem"),
        "http_proxy": NOWHERE,
        "HTTP_PROXY": NOWHERE,
        "ALL_PROXY": NOWHERE,
    }
    with anthropic_server() as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", _SCRIPT, server.base_url, KEY],
            env=os.environ | hostile,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stderr == ""
        assert json.loads(done.stdout) == {
            "said": ["Hello", "Hello"],
            "imported before use": [],
            "handlers": 0,
            "levels": [logging.WARNING, 0, 0],
        }
        assert len(server.requests) == 3
        for seen in server.requests:
            assert seen.headers["x-api-key"] == KEY
            assert seen.headers["anthropic-version"] == "2023-06-01"
            assert seen.headers["host"] == server.base_url.removeprefix("http://")
            assert not seen.headers.keys() & {"authorization", "cookie", "anthropic-beta"}
            assert not any("stainless" in name for name in seen.headers)
            assert "theirs" not in f"{seen.headers} {seen.body!r}"


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_host_that_logs_everything_logs_no_key_and_no_message(
    caplog: pytest.LogCaptureFixture, streamed: bool
) -> None:
    with caplog.at_level(logging.DEBUG), anthropic_server() as server:
        async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
            assert (await ask(chat_model, asking(), streamed=streamed)).text == TEXT
    logged = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert "/v1/messages" in logged, "the SDK does log"
    assert KEY not in logged
    assert "Grüezi" not in logged
    assert repr("Grüezi".encode())[2:-1] not in logged


_TRACED = """
import asyncio, sys
from opentelemetry import trace
class Provider(trace.TracerProvider):
    asked = []
    def get_tracer(self, name, *args, **kwargs):
        self.asked.append(name)
        return trace.NoOpTracer()
trace.set_tracer_provider(Provider())
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.messages import user
from tollkeeper.domain.secret import Secret
async def main():
    async with AnthropicChatModel(sys.argv[1], Secret("sk")) as model:
        await model.complete(ChatRequest("echo", (user("Hello"),), 5))
    print(Provider.asked)
asyncio.run(main())
"""


def test_no_span_is_made_with_the_hosts_tracer() -> None:
    with anthropic_server(api_key=None) as server:
        done = subprocess.run(
            [sys.executable, "-c", _TRACED, server.base_url],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert "traceparent" not in server.last.headers


@pytest.mark.anyio
async def test_a_retired_model_makes_no_noise() -> None:
    """The SDK warns of it; the model's name is data, and the provider answers for it."""
    with anthropic_server() as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        server.script("claude-2.1", scenarios.answered())
        async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
            assert (await chat_model.complete(asking("claude-2.1"))).text == TEXT


@pytest.mark.anyio
async def test_a_host_that_uses_the_sdk_itself_is_left_alone() -> None:
    with anthropic_server(api_key=None) as server:
        async with (
            AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model,
            anthropic.AsyncAnthropic(api_key="sk-host", base_url=server.base_url) as client,
        ):
            theirs = client.messages.create(
                model="echo", max_tokens=5, messages=[{"role": "user", "content": "Hello"}]
            )
            await asyncio.gather(theirs, chat_model.complete(asking()))
    keys = {seen.headers.get("x-api-key") for seen in server.requests}
    assert keys == {KEY, None}
    host = next(seen for seen in server.requests if "x-api-key" not in seen.headers)
    assert host.headers["authorization"] == "Bearer sk-host"
    assert "stainless" in str(host.headers)


def test_a_missing_sdk_is_named_with_its_remedy() -> None:
    script = """
import asyncio, sys
sys.modules["anthropic"] = None
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.domain.errors import ConfigurationError
try:
    asyncio.run(AnthropicChatModel().__aenter__())
except ConfigurationError as error:
    print(error.code, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("extra_missing anthropic is not installed")
    assert "tollkeeper[anthropic]" in done.stdout
    assert done.stderr == ""
