"""How Anthropic's adapter is configured."""

from datetime import timedelta
from typing import Any

import pytest

from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.adapters.anthropic.options import parse_url
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.health import HealthCheck
from tollkeeper.ports.keyed import Keyed


def test_a_url_names_the_server_and_the_options() -> None:
    url = "anthropic+https://api.anthropic.com?connect_timeout=1.5&idle_timeout=30&total_timeout=60&connections=7"
    assert parse_url(url) == (
        "https://api.anthropic.com",
        {
            "connect_timeout": timedelta(seconds=1.5),
            "idle_timeout": timedelta(seconds=30),
            "total_timeout": timedelta(minutes=1),
            "connections": 7,
        },
    )


def test_it_is_what_the_ports_ask_for() -> None:
    chat_model = AnthropicChatModel.from_url("anthropic+http://localhost:8080/proxy/")
    assert isinstance(chat_model, ChatModel)
    assert isinstance(chat_model, Keyed)
    assert isinstance(chat_model, HealthCheck)
    assert (chat_model.provider, chat_model.base_url) == (
        "anthropic",
        "http://localhost:8080/proxy",
    )
    assert AnthropicChatModel().base_url == "https://api.anthropic.com"
    assert AnthropicChatModel(provider="claude").provider == "claude"


def test_all_faults_of_a_url_are_told_at_once() -> None:
    url = "anthropic+https://a.example?connections=0&idle_timeout=soon&total_timeout=-1&colour=red"
    with pytest.raises(ConfigurationError) as raised:
        AnthropicChatModel.from_url(url)
    assert len(raised.value.faults) == 4


@pytest.mark.parametrize(
    "url",
    [
        "https://api.anthropic.com",
        "openai+https://api.anthropic.com",
        "anthropic+ftp://a.example",
        "anthropic+https://",
        "anthropic+https://key@a.example",
        "anthropic+https://a.example:0",
        "anthropic+https://a b.example",
        "anthropic+https://a.example#part",
    ],
)
def test_a_url_that_cannot_be_right_is_an_error(url: str) -> None:
    with pytest.raises(ConfigurationError):
        AnthropicChatModel.from_url(url)


@pytest.mark.parametrize(
    "more", [{"api_key": Secret("")}, {"api_key": Secret("a b\n")}, {"provider": " "}]
)
def test_a_key_or_name_that_cannot_be_right_is_an_error(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        AnthropicChatModel(**more)


def test_no_text_shows_the_key() -> None:
    chat_model = AnthropicChatModel(api_key=Secret("sk-ant-secret"))
    assert "sk-ant" not in f"{chat_model!r} {chat_model} {vars(chat_model)}"
