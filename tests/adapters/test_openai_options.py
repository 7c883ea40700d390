"""The URL and the key that the OpenAI-wire chat model is made with."""

from datetime import timedelta

import pytest

from tests.adapters.openai_calls import asking_for as asking
from tests.servers.openai_server import OpenaiServer
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.adapters.openai.dialects import dialect_for
from tollkeeper.adapters.openai.options import checked_base_url
from tollkeeper.domain.errors import (
    ConfigurationError,
)
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=0.15)


async def test_a_url_configures_all(server: OpenaiServer) -> None:
    url = server.base_url.replace("http://", "openai+http://")
    options = "connect_timeout=1&idle_timeout=2.5&total_timeout=3&connections=4"
    model = OpenaiChatModel.from_url(
        f"{url}/?{options}&max_tokens_field=max_completion_tokens", api_key=Secret("sk-right")
    )
    async with model:
        await model.complete(asking("echo"))
    assert server.last.json["max_completion_tokens"] == 64
    assert server.last.headers["authorization"] == "Bearer sk-right"
    assert model.base_url == server.base_url
    assert "sk-right" not in repr(model)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "openai\\+https://"),
        ("openai", "openai\\+https://"),
        ("https://api.openai.com/v1", "openai\\+https://"),
        ("openai+ftp://api.openai.com/v1", "openai\\+https://"),
        ("openai+https://", "https://"),
        ("openai+https:///v1", "https://"),
        ("openai+https://host:port/v1", "https://"),
        ("openai+https://host:0/v1", "https://"),
        ("openai+https://host:99999/v1", "https://"),
        ("openai+https://[::1/v1", "https://"),
        (f"openai+https://{'x' * 70}.org/v1", "https://"),
        ("openai+https://a host/v1", "https://"),
        ("openai+https://sk-key@host/v1", "api_key"),
        ("openai+https://host/v1#x", "fragment"),
        ("openai+https://host/v1?timeout=1", "there are connect_timeout"),
        ("openai+https://host/v1?idle_timeout=soon", "seconds"),
        ("openai+https://host/v1?idle_timeout=0", "seconds"),
        ("openai+https://host/v1?idle_timeout=nan", "seconds"),
        ("openai+https://host/v1?connections=0", "connections"),
        ("openai+https://host/v1?connections=", "connections"),
        ("openai+https://host/v1?max_tokens_field=tokens", "max_tokens"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        OpenaiChatModel.from_url(url, api_key=None)


def test_all_faults_of_a_url_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        OpenaiChatModel.from_url("openai+https://host/v1?a=1&connections=x", api_key=None)
    assert len(raised.value.faults) == 2


@pytest.mark.parametrize("key", ["", " ", "sk-x\n", "sk-x\r\nX-Evil: 1", "sk-ü", "two words"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="api_key") as raised:
        OpenaiChatModel("https://api.openai.com/v1", Secret(key))
    assert not key.strip() or key.strip() not in str(raised.value)


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://API.openai.com/v1/", "max_completion_tokens"),
        ("http://127.0.0.1:8000/v1", "max_tokens"),
        ("https://api.openai.com.example.org/v1", "max_tokens"),
    ],
)
def test_the_bound_goes_by_the_name_that_the_server_knows(base_url: str, name: str) -> None:
    assert dialect_for(checked_base_url(base_url)).max_tokens_field == name
