"""Each error of the provider, and what it means, on a real server."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.adapters.anthropic_calls import (
    KEY,
    TEXT,
    anthropic_server,
    ask,
    asking,
    came_before,
    shows_nothing,
)
from tests.servers.wire import Kind, scenarios
from tests.servers.wire_server import WireServer
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
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

BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
WORDS = TEXT.split()


@pytest.fixture(scope="module")
def shared() -> Iterator[WireServer]:
    with anthropic_server() as server:
        yield server


@pytest.fixture
def server(shared: WireServer) -> WireServer:
    shared.requests.clear()
    return shared


@pytest.fixture
async def chat_model(server: WireServer) -> AsyncIterator[AnthropicChatModel]:
    async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
        yield chat_model


STATUSES: dict[int, tuple[type[TollkeeperError], bool, str]] = {
    400: (Rejected, False, "rejected"),
    401: (CredentialsRefused, False, "credentials_refused"),
    402: (CredentialsRefused, False, "provider_quota_exhausted"),
    403: (CredentialsRefused, False, "credentials_refused"),
    404: (NotFound, False, "model_not_found"),
    408: (Timeout, True, "timeout"),
    409: (Unavailable, False, "unavailable"),
    413: (Rejected, False, "request_too_large"),
    418: (Rejected, False, "rejected"),
    422: (Rejected, False, "rejected"),
    429: (Throttled, False, "throttled"),
    500: (Unavailable, False, "unavailable"),
    502: (Unavailable, False, "unavailable"),
    504: (Timeout, True, "timeout"),
    529: (Unavailable, False, "unavailable"),
    302: (CorruptResponse, False, "redirect_refused"),
    203: (CorruptResponse, False, "corrupt_response"),
}


@BOTH
@pytest.mark.parametrize("status", STATUSES)
async def test_each_status_is_the_error_that_it_means(
    chat_model: AnthropicChatModel, server: WireServer, status: int, streamed: bool
) -> None:
    expected, ambiguous, code = STATUSES[status]
    server.script("fails", scenarios.status(status))
    with pytest.raises(TollkeeperError) as raised:
        await ask(chat_model, asking("fails"), streamed=streamed)
    error = raised.value
    assert (type(error), error.code) == (expected, code)
    if isinstance(error, PortError):
        assert (error.port, error.adapter) == ("chat_model", "anthropic")
        assert error.ambiguous is ambiguous
        assert error.status == status
        assert error.provider_code == server.format.error(status).body.decode().split('"')[9]
    shows_nothing(error)
    assert len(server.requests) == 1, "nothing is tried twice"


KINDS: dict[Kind, tuple[type[TollkeeperError], str]] = {
    "context_overflow": (ContextWindowExceeded, "context_window_exceeded"),
    "content_filter": (ContentFiltered, "content_filtered"),
    "unknown_model": (NotFound, "model_not_found"),
    "quota": (CredentialsRefused, "provider_quota_exhausted"),
    "invalid_key": (CredentialsRefused, "credentials_refused"),
    "overloaded": (Unavailable, "unavailable"),
    "rate_limit": (Throttled, "throttled"),
    "request_too_large": (Rejected, "request_too_large"),
}


@BOTH
@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_failure_is_told_from_the_others(
    chat_model: AnthropicChatModel, server: WireServer, kind: Kind, streamed: bool
) -> None:
    server.script("fails", scenarios.failing(kind))
    with pytest.raises(TollkeeperError) as raised:
        await ask(chat_model, asking("fails"), streamed=streamed)
    assert (type(raised.value), raised.value.code) == KINDS[kind]
    shows_nothing(raised.value)


@BOTH
@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_inside_an_answer_means_the_same_and_may_be_billed(
    chat_model: AnthropicChatModel, server: WireServer, kind: Kind, streamed: bool
) -> None:
    server.script("fails", scenarios.error_inside(kind, k=5))
    with pytest.raises(TollkeeperError) as raised:
        await ask(chat_model, asking("fails"), streamed=streamed)
    assert (type(raised.value), raised.value.code) == KINDS[kind]
    if isinstance(raised.value, PortError):
        assert raised.value.ambiguous is streamed
    assert came_before(raised.value) == (" ".join(WORDS[:2]) if streamed else "")
    shows_nothing(raised.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("input length and `max_tokens` exceed context limit: 190000 + 20000", "context_window"),
        ("You have reached your specified API usage limits.", "provider_quota_exhausted"),
    ],
)
async def test_some_failures_are_told_by_their_sentence(
    chat_model: AnthropicChatModel, server: WireServer, words: str, expected: str
) -> None:
    server.script("fails", scenarios.status(400, text=words))
    with pytest.raises(PortError) as raised:
        await chat_model.complete(asking("fails"))
    assert raised.value.code.startswith(expected)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry_after": "7"}, 7, 7),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5, 1.5),
        (dict(scenarios.waiting("date")), 59, 60),
        (
            {
                "anthropic_ratelimit_requests_remaining": "10",
                "anthropic_ratelimit_requests_reset": "2999-01-01T00:00:00Z",
                "anthropic_ratelimit_input_tokens_remaining": "0",
                "anthropic_ratelimit_input_tokens_reset": (
                    datetime.now(UTC) + timedelta(hours=2)
                ).isoformat(),
            },
            3600,  # the file is read long before its tests are run
            7200,
        ),
    ],
    ids=["seconds", "milliseconds", "date", "reset"],
)
async def test_the_wait_that_the_provider_asks_for_is_told(
    chat_model: AnthropicChatModel,
    server: WireServer,
    headers: dict[str, str],
    least: float,
    most: float,
) -> None:
    server.script("fails", lambda s: scenarios.error_play(s.format.error(429), **headers))
    with pytest.raises(Throttled) as raised:
        await chat_model.complete(asking("fails"))
    assert raised.value.retry_after is not None
    assert least <= raised.value.retry_after.total_seconds() <= most
