"""The statuses and codes of a provider that refuses, and the errors they become."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.adapters.openai_calls import KEY, ask, shows_nothing
from tests.servers.openai_server import OpenaiServer, openai_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

WHOLE, STREAMED = False, True
BOTH = pytest.mark.parametrize("streamed", [WHOLE, STREAMED], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def server() -> Iterator[OpenaiServer]:
    with openai_server() as server:
        yield server


@pytest.fixture
async def chat_model(server: OpenaiServer) -> AsyncIterator[OpenaiChatModel]:
    async with OpenaiChatModel(server.base_url, Secret(KEY)) as chat_model:
        yield chat_model


STATUSES: dict[str, tuple[type[TollkeeperError], bool]] = {
    "status-400": (Rejected, False),
    "status-401": (CredentialsRefused, False),
    "status-402": (CredentialsRefused, False),
    "status-403": (CredentialsRefused, False),
    "status-404": (NotFound, False),
    "status-405": (Rejected, False),
    "status-408": (Timeout, True),
    "status-409": (Unavailable, False),
    "status-413": (Rejected, False),
    "status-418": (Rejected, False),
    "status-422": (Rejected, False),
    "status-429": (Throttled, False),
    "status-500": (Unavailable, False),
    "status-502": (Unavailable, False),
    "status-503": (Unavailable, False),
    "status-504": (Timeout, True),
    "status-524": (Timeout, True),
    "status-529": (Unavailable, False),
    "status-204": (CorruptResponse, False),
    "status-302": (CorruptResponse, False),
    "status-307": (CorruptResponse, False),
}


@BOTH
@pytest.mark.parametrize("model", STATUSES)
async def test_a_status_becomes_its_error(
    chat_model: OpenaiChatModel, model: str, streamed: bool
) -> None:
    expected, ambiguous = STATUSES[model]
    with pytest.raises(TollkeeperError) as raised:
        await ask(chat_model, model, streamed=streamed)
    error = raised.value
    assert type(error) is expected
    assert isinstance(error.__cause__, ProviderFault)
    assert error.__cause__.status == int(model.split("-")[1])
    if isinstance(error, PortError):
        assert (error.port, error.adapter) == ("chat_model", "openai")
        assert error.ambiguous is ambiguous
    shows_nothing(error)


CODES: dict[str, type[TollkeeperError]] = {
    "context_length_exceeded": ContextWindowExceeded,
    "content_filter": ContentFiltered,
    "content_policy_violation": ContentFiltered,
    "insufficient_quota": CredentialsRefused,
    "model_not_found": NotFound,
    "invalid_api_key": CredentialsRefused,
    "rate_limit_exceeded": Rejected,
    "anything_else": Rejected,
}


@BOTH
@pytest.mark.parametrize("code", CODES)
async def test_a_code_says_more_than_the_status_400(
    chat_model: OpenaiChatModel, code: str, streamed: bool
) -> None:
    with pytest.raises(CODES[code]) as raised:
        await ask(chat_model, f"error-{code}", streamed=streamed)
    assert isinstance(raised.value.__cause__, ProviderFault)
    assert raised.value.__cause__.code == code
    shows_nothing(raised.value)


@pytest.mark.parametrize(
    ("how", "seconds"),
    [("", None), ("-seconds", 7), ("-date", 60), ("-ms", 1.5), ("-nonsense", None)],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_how_long_to_wait_is_kept(
    chat_model: OpenaiChatModel, status: int, how: str, seconds: float | None
) -> None:
    with pytest.raises((Throttled, Unavailable)) as raised:
        await ask(chat_model, f"status-{status}{how}", streamed=True)
    assert isinstance(raised.value, PortError)
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert raised.value.retry_after == expected
